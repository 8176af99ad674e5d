/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SPAN_H
#define WEIR_SPAN_H
/**
 * @file  Small questions about spans: what every router and stage asks of a header, a cookie, a query.
 *
 * Pure: any thread, no memory, nothing fails. Case rules are ASCII's, whatever the locale.
 */
#include <string.h>

#include "weir_types.h"

WEIR_C_BEGIN

/** Whether both hold the same bytes. A span without base equals an empty one. */
static inline bool weir_span_equal(weir_span_t a, weir_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

/** The same, letters of either case being equal. */
WEIR_API bool weir_span_equal_nocase(weir_span_t a, weir_span_t b);

/** Whether the span is there (its base is not NULL) and holds just the bytes of the NUL-terminated `text`. */
WEIR_API bool weir_span_is(weir_span_t span, const char *text);

/** Whether it begins with `prefix`; every span begins with an empty one. */
WEIR_API bool weir_span_starts_with(weir_span_t span, weir_span_t prefix);

/**
 * Copies it into `buffer` (`size` bytes, 1 or more) as a NUL-terminated string. False, and the string is empty, if it does not
 * fit or holds a NUL: a string that is cut may name something else.
 */
WEIR_API bool weir_span_to_text(weir_span_t span, char *buffer, size_t size);

/**
 * Reads decimal digits and nothing else, at least one. False, and *out_number untouched, for anything else or beyond 2^63-1.
 */
WEIR_API bool weir_span_to_number(weir_span_t span, uint64_t *out_number);

/**
 * The value of cookie `name` in the value of a Cookie header ("a=1; b=2"), as sent; quotes around it are left out (RFC 6265
 * §5.4, §4.1.1). The first of several. base is NULL if there is none; an empty value has a base. Names differ by case. For all
 * Cookie headers of a request there is weir_request_cookie().
 */
WEIR_API weir_span_t weir_span_cookie(weir_span_t header, weir_span_t name);

/**
 * The value of parameter `name` in a query ("a=1&b=2", as weir_request_query() gives it), as sent: nothing is decoded, in the
 * name neither. The first of several. base is NULL if there is none; of "a" and "a=" it is empty and has a base.
 */
WEIR_API weir_span_t weir_span_parameter(weir_span_t query, weir_span_t name);

WEIR_C_END

#endif
