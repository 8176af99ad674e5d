/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SPAN_H
#define WEIR_SPAN_H 
#include <string.h>
#include "weir_types.h"
WEIR_C_BEGIN
static inline bool weir_span_equal(weir_span_t a, weir_span_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}
WEIR_API bool weir_span_equal_nocase(weir_span_t a, weir_span_t b);
WEIR_API bool weir_span_is(weir_span_t span, const char *text);
WEIR_API bool weir_span_starts_with(weir_span_t span, weir_span_t prefix);
WEIR_API bool weir_span_to_text(weir_span_t span, char *buffer, size_t size);
WEIR_API bool weir_span_to_number(weir_span_t span, uint64_t *out_number);
WEIR_API weir_span_t weir_span_cookie(weir_span_t header, weir_span_t name);
WEIR_API weir_span_t weir_span_parameter(weir_span_t query, weir_span_t name);
WEIR_C_END
#endif
