/* SPDX-License-Identifier: MIT */
#include "state_read.h"

#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "alloc.h"
#include "saved.h"

enum { SUM_BYTES = 9 /* a blank, eight digits */ };

/* The document of a line that is whole; NULL: its sum is another one, or it is none. Cuts the sum off. */
static json_t *document_of(char *line, size_t length)
{
    char sum[SUM_BYTES + 1];
    json_error_t error;

    if (length <= SUM_BYTES)
        return NULL;
    char *end = line + length - SUM_BYTES;
    snprintf(sum, sizeof(sum), " %08lx", crc32(0, (const unsigned char *)line, (unsigned)(end - line)));
    if (memcmp(sum, end, SUM_BYTES) != 0)
        return NULL;
    *end = '\0';
    return json_loads(line, JSON_REJECT_DUPLICATES, &error);
}

static bool read_first(const char *path, json_t *document, kit_instance_t *instance, kit_state_found_t *found)
{
    const json_int_t version = json_integer_value(json_object_get(document, "weir-state"));

    instance->seq = (uint64_t)json_integer_value(json_object_get(document, "seq"));
    json_decref(document);
    if (version == 1)
        return true;
    snprintf(found->problem, sizeof(found->problem), "state-file %s: this is no state file, or one of a later version", path);
    return false;
}

static void read_record(json_t *document, kit_instance_t *instance, kit_state_found_t *found)
{
    if (document != NULL && kit_saved_restore(instance, document))
        found->records++;
    else
        found->skipped++;
    json_decref(document);
}

static bool read_lines(FILE *in, const char *path, kit_instance_t *instance, kit_state_found_t *found)
{
    char *line = NULL;
    size_t capacity = 0, number = 0;
    ssize_t length;
    bool is_fine = true;

    while (is_fine && (length = getline(&line, &capacity, in)) > 0) {
        if (line[length - 1] != '\n') {
            found->is_torn = true;
            break;
        }
        json_t *document = document_of(line, (size_t)length - 1);
        if (number++ == 0)
            is_fine = read_first(path, document, instance, found);
        else
            read_record(document, instance, found);
    }
    free(line);
    return is_fine;
}

bool kit_state_read(const char *path, kit_instance_t *instance, kit_state_found_t *found)
{
    FILE *in = fopen(path, "re");

    if (in == NULL && errno == ENOENT)
        return true;
    if (in == NULL) {
        snprintf(found->problem, sizeof(found->problem), "state-file %s: %s", path, strerror(errno));
        return false;
    }
    const bool is_fine = read_lines(in, path, instance, found);
    fclose(in);
    return is_fine;
}
