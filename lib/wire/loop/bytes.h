/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BYTES_H
#define WEIR_WIRE_BYTES_H
/**
 * @file  A queue of bytes between two sides of different speed. Empty, it holds no memory.
 *
 * OWNER    Embedded in a connection; zeroed, it is empty. The bound is its user's to keep.
 */
#include <string.h>
#include <sys/uio.h>

#include "weir_types.h"

enum {
    WEIR_BLOCK_BYTES = 81920, /* a block: a full read and a head before it; blocks are recycled per thread */
};

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
    return (weir_span_t){queue->base == NULL ? NULL : queue->base + queue->start, queue->end - queue->start};
}

/** Room for at least `count` bytes behind the last one; claim them with weir_bytes_grow(). */
char *weir_bytes_reserve(weir_bytes_t *queue, size_t count);

static inline void weir_bytes_grow(weir_bytes_t *queue, size_t count)
{
    queue->end += count;
}

/** Adds a copy of `bytes` at the end. `bytes` may not lie in the queue. */
void weir_bytes_append(weir_bytes_t *queue, weir_span_t bytes);

/** Adds a copy of what lies behind the first `written_bytes` of the pieces: what the kernel did not take of them. */
void weir_bytes_append_rest(weir_bytes_t *queue, const struct iovec *pieces, int count, size_t written_bytes);

/** A block for reading into. */
char *weir_block_take(void);

/** Gives a block back. */
void weir_block_give(char *block);

/**
 * Adds `bytes`, which lie in the block `*scratch`, to an empty queue: few are copied; for many the queue takes the block itself
 * and *scratch becomes another one.
 */
void weir_bytes_keep(weir_bytes_t *queue, char **scratch, weir_span_t bytes);

/** Frees the blocks this thread keeps for reuse. */
void weir_block_forget(void);

/** Drops `count` bytes from the front; frees the memory when none is left. */
void weir_bytes_consume(weir_bytes_t *queue, size_t count);

/** Drops everything. */
void weir_bytes_free(weir_bytes_t *queue);

#endif
