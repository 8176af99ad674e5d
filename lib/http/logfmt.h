/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_LOGFMT_H
#define WEIR_HTTP_LOGFMT_H
/**
 * @file  One line of key=value pairs, written into a buffer of fixed size; never overruns, never splits the line. Pure.
 */
#include "weir_types.h"

typedef struct weir_logfmt {
    char *at, *end; /* end leaves room for the final newline */
    char *start;
} weir_logfmt_t;

/** Starts a line in `buffer`; capacity is at least 2. */
void weir_logfmt_begin(weir_logfmt_t *line, char *buffer, size_t capacity);

/** key=value; value is quoted and escaped if it is empty-looking (spaces, quotes, =, controls); an empty value gives `key=`. */
void weir_logfmt_text(weir_logfmt_t *line, const char *key, weir_span_t value);

/** key="value", quoted always, with \" \\ and \xNN for controls (C0, DEL, and C1 in UTF-8). */
void weir_logfmt_quoted(weir_logfmt_t *line, const char *key, weir_span_t value);

/**
 * The same of what others choose the length of: at most `most` bytes (4 or more) between the quotes, and `...` for what is
 * missing at the end; a text that was cut is quoted.
 */
void weir_logfmt_text_most(weir_logfmt_t *line, const char *key, weir_span_t value, size_t most);
void weir_logfmt_quoted_most(weir_logfmt_t *line, const char *key, weir_span_t value, size_t most);

/** The same, with `...` for what is missing at the beginning. */
void weir_logfmt_quoted_end(weir_logfmt_t *line, const char *key, weir_span_t value, size_t most);

/** key=123unit; unit may be "". */
void weir_logfmt_number(weir_logfmt_t *line, const char *key, uint64_t value, const char *unit);

/** Ends the line with a newline and returns it. A value that did not fit is cut, never the line's end. */
weir_span_t weir_logfmt_end(weir_logfmt_t *line);

#endif
