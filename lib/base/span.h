/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_SPAN_H
#define WEIR_BASE_SPAN_H
/**
 * @file  Small questions about borrowed bytes. Case rules are ASCII's, whatever the locale.
 */
#include <string.h>

#include "weir_types.h"

/** The lower-case form of an ASCII letter; any other byte as it is. */
static inline char weir_lower(char c)
{
    return (unsigned char)(c - 'A') < 26 ? (char)(c + 32) : c;
}

/** Whether both hold the same bytes. */
static inline bool weir_span_equal(weir_span_t a, weir_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

/** The same, letters of either case being equal. */
bool weir_span_equal_nocase(weir_span_t a, weir_span_t b);

/** Without the spaces and tabs (RFC 9110 §5.6.3 OWS) at both ends. */
weir_span_t weir_span_trim(weir_span_t bytes);

/** Reads decimal digits, and nothing but at least one of them. False if there is anything else, or more than 2^63-1. */
bool weir_span_to_u63(weir_span_t digits, uint64_t *out_number);

/** Writes `number` in decimal; `buffer` holds at least 20 bytes. Returns the span written, no NUL. */
weir_span_t weir_span_of_u64(uint64_t number, char buffer[static 20]);

#endif
