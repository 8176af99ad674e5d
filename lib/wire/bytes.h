/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BYTES_H
#define WEIR_WIRE_BYTES_H
/**
 * @file  A queue of bytes between two sides of different speed. Empty, it holds no memory.
 *
 * OWNER    Embedded in a connection; zeroed, it is empty. The bound is its user's to keep.
 */
#include <string.h>

#include "weir_types.h"

typedef struct weir_bytes {
    char *base;
    size_t start, end, capacity;
} weir_bytes_t;

static inline size_t weir_bytes_count(const weir_bytes_t *queue)
{
    return queue->end - queue->start;
}

/** What is in the queue; borrowed until the next change. */
static inline weir_span_t weir_bytes_span(const weir_bytes_t *queue)
{
    return (weir_span_t){queue->base + queue->start, queue->end - queue->start};
}

/** Room for at least `count` bytes behind the last one; claim them with weir_bytes_grow(). */
char *weir_bytes_reserve(weir_bytes_t *queue, size_t count);

static inline void weir_bytes_grow(weir_bytes_t *queue, size_t count)
{
    queue->end += count;
}

/** Adds a copy of `bytes` at the end. `bytes` may not lie in the queue. */
void weir_bytes_append(weir_bytes_t *queue, weir_span_t bytes);

/** Drops `count` bytes from the front; frees the memory when none is left. */
void weir_bytes_consume(weir_bytes_t *queue, size_t count);

/** Drops everything. */
void weir_bytes_free(weir_bytes_t *queue);

#endif
