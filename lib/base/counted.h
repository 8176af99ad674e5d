/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_COUNTED_H
#define WEIR_BASE_COUNTED_H
/**
 * @file  Memory that several hold, and that the last of them frees: what a request came with, which libh2o's request and the
 *        exchange both read and neither of which is sure to be there longer.
 *
 * THREAD   All holders are of one thread.
 */
#include <stdbool.h>
#include <stddef.h>

/** At least `size` bytes for one holder, aligned for any object. Never fails. */
void *weir_counted_alloc(size_t size);

/** One holder more. Returns `memory`; harmless on NULL. */
void *weir_counted_hold(void *memory);

/** One holder less. Harmless on NULL. */
void weir_counted_release(void *memory);

/** Whether `at` lies in `memory`; false if either is NULL. */
bool weir_counted_has(const void *memory, const void *at);

#endif
