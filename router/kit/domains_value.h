/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DOMAINS_VALUE_H
#define WEIR_KIT_DOMAINS_VALUE_H
/**
 * @file  What a domain stands for, in one word that is loaded and stored at once: an app, or a list of prefixes beside which
 * there may be an app for all other paths. A list never changes: another one takes its place.
 *
 * The word: 48 bits of pointer; bit 63 says that it points to a list; the bits between are the record's own. Pointer 0: none.
 *
 * OWNER    Who holds the word owns its list.
 * THREAD   Any; making words: the writer.
 */
#include "domains.h"

#define KIT_POINTER_BITS ((UINT64_C(1) << 48) - 1)
#define KIT_VALUE_IS_LIST (UINT64_C(1) << 63)
#define KIT_VALUE_BITS (KIT_POINTER_BITS | KIT_VALUE_IS_LIST)

/** The app of a path: of the longest prefix that fits, else the one for all. NULL: none. */
void *kit_value_find(uint64_t value, weir_span_t path, uint16_t *out_prefix_bytes);
/** The app of just this prefix (empty: the one for all), or NULL. */
void *kit_value_at(uint64_t value, weir_span_t prefix);
/** How many prefixes there are, and the memory that the word owns: NULL, 0, or a block for free() and its bytes. */
size_t kit_value_prefix_count(uint64_t value);
void *kit_value_memory(uint64_t value, size_t *out_bytes);
/** Each prefix and its app; empty: the one for all other paths. */
void kit_value_each(uint64_t value, void (*visit)(void *context, weir_span_t prefix, void *app), void *context);
/**
 * A word of its own, like `value`, but `prefix` has this app; NULL: it has none any more. At most KIT_PREFIXES_MOST prefixes
 * come of it. The record's bits are not taken over.
 */
uint64_t kit_value_with(uint64_t value, weir_span_t prefix, void *app);

#endif
