/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_MESSAGES_H
#define WEIR_WIRE_STORE_MESSAGES_H
/**
 * @file  What etcd's answers say. Bytes that are no such message, or without what each of them has, are refused.
 *
 * Pure. What is read lies in the arena that is given.
 */
#include "lib/base/arena.h"
#include "lib/wire/store/etcd.h"

/** Keys of a range. `visit` is called for none of them unless the whole answer is right. */
bool store_read_range(weir_span_t message, void (*visit)(const weir_etcd_item_t *item, void *context), void *context,
                      weir_etcd_header_t *out_header, bool *out_has_more);

/** What a watch says. */
bool store_read_watch(weir_span_t message, weir_arena_t *arena, weir_etcd_news_t *out);

/** A lease that was granted or kept. */
bool store_read_lease(weir_span_t message, weir_arena_t *arena, int64_t *out_lease, int64_t *out_ttl_s);

/** An answer of which only the header counts. */
bool store_read_header(weir_span_t message, weir_arena_t *arena, weir_etcd_header_t *out);

/** A token, which is one line and not empty; a string in the arena. NULL: there is none. */
const char *store_read_token(weir_span_t message, weir_arena_t *arena);

#endif
