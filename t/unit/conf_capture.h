/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_CONF_CAPTURE_H
#define WEIR_T_CONF_CAPTURE_H
/**
 * @file  What a function prints, as a string; and files that live as long as a test program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct capture {
    FILE **stream, *before, *memory;
    char *text;
    size_t len;
} capture_t;

static inline void capture_begin(capture_t *capture, FILE **stream)
{
    *capture = (capture_t){.stream = stream, .before = *stream};
    capture->memory = open_memstream(&capture->text, &capture->len);
    assert_non_null(capture->memory);
    *stream = capture->memory;
}

/** The caller frees what it returns. */
static inline char *capture_end(capture_t *capture)
{
    *capture->stream = capture->before;
    fclose(capture->memory);
    return capture->text;
}

static char scratch[64];

static inline int scratch_create(void **state)
{
    strcpy(scratch, "/tmp/weir-conf-XXXXXX");
    return mkdtemp(scratch) != NULL ? 0 : -1;
}

static inline int scratch_remove(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", scratch);
    return system(command);
}

/** The path of `name` in the scratch directory; good for the next eight calls. */
static inline const char *scratch_path(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
    return path;
}

static inline const char *scratch_file(const char *name, const char *text)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static inline char *slurp(const char *path)
{
    static char text[200000];
    FILE *file = fopen(path, "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

#endif
