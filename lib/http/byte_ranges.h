/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_BYTE_RANGES_H
#define WEIR_HTTP_BYTE_RANGES_H
/**
 * @file  What a Range field asks for (RFC 9110 §14), and with which representation a client wants it continued (§13). Pure.
 */
#include "weir_types.h"

enum { WEIR_BYTE_RANGES_MOST = 64 }; /* a request that names more gets the whole: §14.2 lets a server ignore Range */

typedef struct weir_byte_range {
    uint64_t first, length_bytes; /* length_bytes is 1 or more */
} weir_byte_range_t;

typedef enum weir_ranges {
    WEIR_RANGES_IGNORED,       /* another unit, no list of ranges, too many of them: the whole, 200 */
    WEIR_RANGES_SOME,          /* 206 */
    WEIR_RANGES_UNSATISFIABLE, /* each of them begins behind the end: 416 */
} weir_ranges_t;

/**
 * Reads the value of Range for a representation of `size_bytes`. Ranges that overlap or touch are made one, in the place of the
 * first of them, so that together they are never longer than the whole (§14.2, §17.15).
 */
weir_ranges_t weir_byte_ranges_read(weir_span_t value, uint64_t size_bytes,
                                    weir_byte_range_t out_ranges[static WEIR_BYTE_RANGES_MOST], size_t *out_count);

/**
 * Whether a list of entity tags (If-Match, If-None-Match) names `etag`, as it stands in its field, quotes and W/ included; "*"
 * names every one. is_strong: the strong comparison (§8.8.3.2), by which a weak tag equals none. What is no list names nothing
 * from there on.
 */
bool weir_etags_have(weir_span_t list, weir_span_t etag, bool is_strong);

/** Whether `text` is one entity tag, and nothing else (§8.8.3). */
bool weir_is_etag(weir_span_t text);

#endif
