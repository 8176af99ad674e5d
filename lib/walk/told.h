/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_TOLD_H
#define WEIR_WALK_TOLD_H
/**
 * @file  Lines that are made and written without memory, stdio or locks: in a signal handler, or on the way to abort().
 */
#include <stddef.h>
#include <stdint.h>

#include "weir_span.h"

/** A line that is cut where it does not fit. Begins with {.length = 0}. */
typedef struct weir_told {
    char text[512];
    size_t length;
} weir_told_t;

/** Adds bytes; what is not printable ASCII becomes `?`. */
void weir_told_put(weir_told_t *line, weir_span_t bytes);

/** Adds a text; nothing for NULL. */
void weir_told_text(weir_told_t *line, const char *text);

/** Adds a text and a number behind it. */
void weir_told_number(weir_told_t *line, const char *text, uint64_t number);

/** Writes the line with its newline to `fd`; if that fails nobody is there to be told. */
void weir_told_end(weir_told_t *line, int fd);

#endif
