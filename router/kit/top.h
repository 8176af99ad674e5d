/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_TOP_H
#define WEIR_KIT_TOP_H
/**
 * @file  How the apps fare, in numbers that a caller can compare with those of a moment later: GET …/top.
 *
 * Of a kit with many apps only those are looked at that have been used in the last ten minutes: what nobody wants anything of
 * costs nothing here either.
 *
 * THREAD   Under the instance's lock.
 */
#include <jansson.h>

#include "instance.h"

/** What the list begins with. */
typedef enum kit_top_order { KIT_TOP_REQUESTS, KIT_TOP_ERRORS, KIT_TOP_QUEUE, KIT_TOP_LATENCY } kit_top_order_t;

/** False: `word` (base NULL: REQUESTS) is none. */
bool kit_top_order_read(weir_span_t word, kit_top_order_t *out_order);

/** { "total": …, "looked_at": …, "waiting": …, "apps": […], "changes": […] }, of at most `limit` apps. */
json_t *kit_top_document(const struct weir_kit *kit, kit_top_order_t order, size_t limit);

#endif
