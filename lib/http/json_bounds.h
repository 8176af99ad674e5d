/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_JSON_BOUNDS_H
#define WEIR_HTTP_JSON_BOUNDS_H
/**
 * @file  How much a text of JSON would become in memory, before it is read: three bytes may be some hundreds there. Pure.
 */
#include "weir_types.h"

/** What documents for the admin endpoint may have: 100,000 apps of one backend are 500,000 values. */
enum { WEIR_JSON_VALUES = 500000, WEIR_JSON_KEYS = 1000, WEIR_JSON_DEPTH = 100 };

/**
 * Whether it has at most WEIR_JSON_VALUES values, WEIR_JSON_KEYS keys in any one object, and is nested no deeper than
 * WEIR_JSON_DEPTH. Linear. Whether it is JSON at all is for its reader to say: true then means that what a reader has made
 * of it by the first mistake is within these bounds.
 */
bool weir_json_is_bounded(weir_span_t text);

#endif
