/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_DATE_H
#define WEIR_HTTP_DATE_H
/**
 * @file  Dates in fields (RFC 9110 §5.6.7), in seconds since 1970. Pure; the names of months are HTTP's, whatever the locale.
 */
#include "weir_types.h"

enum { WEIR_HTTP_DATE_BYTES = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/**
 * Reads any of the three forms. `now_s` says which century a year of two digits is in: not more than 50 years ahead. False, and
 * *out_s untouched, if it is none of them or no instant of the calendar. The name of the day is not held against the date.
 */
bool weir_http_date_read(weir_span_t text, int64_t now_s, int64_t *out_s);

/** Writes the preferred form and a NUL. `at_s` must lie in the years 0 to 9999. */
void weir_http_date_write(int64_t at_s, char buffer[static WEIR_HTTP_DATE_BYTES + 1]);

#endif
