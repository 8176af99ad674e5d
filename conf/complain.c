/* SPDX-License-Identifier: MIT */
#include "conf/complain.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/nearest.h"
#include "lib/base/weir_digest.h"

enum { LINES_REMEMBERED = 256 };

static struct {
    FILE *real; /* stderr as it was, NULL while it is in its place */
    FILE *rewriting;
    bool is_settled;
    conf_suggest_t *suggest;
    void *arg;
    char line[4096];
    size_t len;
    bool has_placed_line;
    uint64_t told[LINES_REMEMBERED]; /* what each line was, as a hash */
    size_t told_count;
} complaint;

static __thread bool is_rewriting; /* what this thread writes */
static __thread struct {
    char *text; /* NULL: nobody catches this thread's */
    size_t bytes;
} catcher;

/* What the thread that reads a configuration says, for who has asked for that. */
static struct {
    pthread_mutex_t lock;
    char text[8192];
    size_t length;
} copied = {.lock = PTHREAD_MUTEX_INITIALIZER};
static __thread bool is_copied;

static void copy(const char *bytes, size_t length)
{
    if (!is_copied)
        return;
    pthread_mutex_lock(&copied.lock);
    const size_t room = sizeof(copied.text) - 1 - copied.length, taken = length < room ? length : room;
    memcpy(copied.text + copied.length, bytes, taken);
    copied.length += taken;
    copied.text[copied.length] = '\0';
    pthread_mutex_unlock(&copied.lock);
}

void conf_complain_copy(void)
{
    is_copied = true;
    pthread_mutex_lock(&copied.lock);
    copied.length = 0;
    copied.text[0] = '\0';
    pthread_mutex_unlock(&copied.lock);
}

void conf_complain_copied(char *text, size_t bytes)
{
    pthread_mutex_lock(&copied.lock);
    snprintf(text, bytes, "%s", copied.text);
    pthread_mutex_unlock(&copied.lock);
}

/* While it serves: what is said before that is for who starts it. */
static void print_time(FILE *out)
{
    char time[WEIR_LOG_TIME_BYTES];
    size_t length;

    if (!complaint.is_settled)
        return;
    const bool was_copied = is_copied;
    is_copied = false;
    length = weir_log_put_time(time);
    fwrite(time, 1, length, out);
    is_copied = was_copied;
}

static void vcomplain(const char *file, size_t line, const char *format, va_list arguments)
{
    char text[2048];

    vsnprintf(text, sizeof(text), format, arguments);
    if (catcher.text != NULL) {
        if (catcher.text[0] == '\0' && strcmp(file, "-") != 0 && line > 0)
            snprintf(catcher.text, catcher.bytes, "%s:%zu: %s", file, line, text);
        else if (catcher.text[0] == '\0')
            snprintf(catcher.text, catcher.bytes, "%s", text);
        return;
    }
    if (!is_rewriting)
        print_time(stderr);
    if (line > 0)
        fprintf(stderr, "%s:%zu: %s\n", file, line, text);
    else
        fprintf(stderr, "%s: %s\n", file, text);
    if (is_rewriting)
        complaint.has_placed_line = true;
}

void conf_complain_into(char *text, size_t bytes)
{
    catcher.text = text;
    catcher.bytes = bytes;
}

bool conf_complain_at(const char *file, size_t line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vcomplain(file, line, format, arguments);
    va_end(arguments);
    return false;
}

void conf_complain_va(const yoml_t *node, const char *format, va_list arguments)
{
    vcomplain(node->filename != NULL ? node->filename : "-", node->line + 1, format, arguments);
}

int conf_complain(const yoml_t *node, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    conf_complain_va(node, format, arguments);
    va_end(arguments);
    return -1;
}

int conf_complain_unknown(const yoml_t *key, const char *what, const char *const *known)
{
    const char *meant = weir_nearest(key->data.scalar, known);

    if (meant != NULL)
        return conf_complain(key, "%s: unknown key %s; did you mean %s?", what, key->data.scalar, meant);
    return conf_complain(key, "%s: unknown key %s", what, key->data.scalar);
}

void conf_warn(const yoml_t *node, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%zu: warning: %s\n", node->filename != NULL ? node->filename : "-", node->line + 1, text);
}

/* The end of "[file:12" in "[file:12] what", or NULL if the line does not begin like that. */
static const char *end_of_place(const char *line)
{
    const char *end = line;

    if (line[0] != '[')
        return NULL;
    while ((end = strstr(end, "] ")) != NULL) {
        const char *digit = end;
        while (digit > line && isdigit((unsigned char)digit[-1]))
            digit--;
        if (digit < end && digit[-1] == ':')
            return end;
        end++;
    }
    return NULL;
}

static void print_suggestion(FILE *out, const char *what)
{
    static const char unknown[] = "unknown command: ";
    const char *meant = NULL;

    if (strncmp(what, unknown, sizeof(unknown) - 1) == 0 && complaint.suggest != NULL)
        meant = complaint.suggest(what + sizeof(unknown) - 1, complaint.arg);
    if (meant != NULL)
        fprintf(out, "; did you mean %s?", meant);
}

/* Without libh2o's "(see --help)": the help of its program is not ours. */
static void print_without_hint(FILE *out, const char *what)
{
    static const char hint[] = " (see --help)";
    const char *at = strstr(what, hint);

    if (at == NULL)
        fputs(what, out);
    else
        fprintf(out, "%.*s%s", (int)(at - what), what, at + sizeof(hint) - 1);
}

/* libh2o's line, without its newline, in our words. */
static void print_rewritten(FILE *out, const char *line)
{
    static const char in_command[] = "in command ";
    const char *end = end_of_place(line), *what, *comma;

    if (end == NULL) {
        fprintf(out, "%s\n", line);
        return;
    }
    what = end + 2;
    fprintf(out, "%.*s: ", (int)(end - line - 1), line + 1);
    if (strncmp(what, in_command, sizeof(in_command) - 1) == 0 && (comma = strstr(what, ", ")) != NULL) {
        what += sizeof(in_command) - 1;
        fprintf(out, "%.*s: ", (int)(comma - what), what);
        what = comma + 2;
    }
    print_without_hint(out, what);
    print_suggestion(out, what);
    fputc('\n', out);
    complaint.has_placed_line = true;
}

static void copy_rewritten(const char *line)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = is_copied ? open_memstream(&text, &bytes) : NULL;

    if (out == NULL)
        return;
    print_rewritten(out, line);
    (void)fclose(out);
    copy(text, bytes);
    free(text);
}

/* What an alias repeats is read, and found wrong, once for each place. */
static bool was_told(weir_span_t line)
{
    static const uint64_t key[2];
    const uint64_t hash = weir_siphash(key, line);

    for (size_t i = 0; i < complaint.told_count; i++)
        if (complaint.told[i] == hash)
            return true;
    if (complaint.told_count < LINES_REMEMBERED)
        complaint.told[complaint.told_count++] = hash;
    return false;
}

static void end_line(void)
{
    complaint.line[complaint.len] = '\0';
    if (complaint.len > 0 && !was_told((weir_span_t){complaint.line, complaint.len})) {
        print_time(complaint.real);
        print_rewritten(complaint.real, complaint.line);
        copy_rewritten(complaint.line);
    }
    complaint.len = 0;
    fflush(complaint.real);
}

static ssize_t on_write(void *unused, const char *bytes, size_t len)
{
    if (!is_rewriting)
        copy(bytes, len);
    if (!is_rewriting)
        return fwrite(bytes, 1, len, complaint.real) == len ? (ssize_t)len : 0;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' || complaint.len == sizeof(complaint.line) - 1)
            end_line();
        if (bytes[i] != '\n')
            complaint.line[complaint.len++] = bytes[i];
    }
    return (ssize_t)len;
}

static void take_place(void)
{
    complaint.rewriting = fopencookie(NULL, "w", (cookie_io_functions_t){.write = on_write});
    WEIR_MUST(complaint.rewriting != NULL);
    setvbuf(complaint.rewriting, NULL, _IONBF, 0);
    complaint.real = stderr;
    stderr = complaint.rewriting; /* glibc: "normal variables which you can set just like any others" */
}

static void give_place(void)
{
    stderr = complaint.real;
    complaint.real = NULL;
    fclose(complaint.rewriting);
}

void conf_complain_settle(void)
{
    WEIR_MUST(complaint.real == NULL);
    complaint.is_settled = true;
    take_place();
}

void conf_complain_unsettle(void)
{
    complaint.is_settled = false;
    give_place();
}

void conf_complain_begin(conf_suggest_t *suggest, void *arg)
{
    WEIR_MUST(!is_rewriting);
    complaint.suggest = suggest;
    complaint.arg = arg;
    complaint.len = 0;
    complaint.has_placed_line = false;
    complaint.told_count = 0;
    is_rewriting = true;
    if (!complaint.is_settled)
        take_place();
}

bool conf_complain_end(void)
{
    if (complaint.len > 0)
        end_line();
    is_rewriting = false;
    if (!complaint.is_settled)
        give_place();
    return complaint.has_placed_line;
}
