/* SPDX-License-Identifier: MIT */
#include "lib/wire/loop/bytes.h"

#include <stdlib.h>

#include "lib/base/must.h"

enum {
    FIRST_CAPACITY = 2048,
    COPY_BYTES = 8192, /* up to here a copy is cheaper than a whole block */
    BLOCKS_MAX = 32,   /* kept per thread */
};

static __thread char *blocks[BLOCKS_MAX];
static __thread size_t block_count;

char *weir_block_take(void)
{
    if (block_count > 0)
        return blocks[--block_count];
    char *block = malloc(WEIR_BLOCK_BYTES);
    WEIR_MUST(block != NULL);
    return block;
}

void weir_block_give(char *block)
{
    if (block_count < BLOCKS_MAX)
        blocks[block_count++] = block;
    else
        free(block);
}

void weir_block_forget(void)
{
    while (block_count > 0)
        free(blocks[--block_count]);
}

static void release(weir_bytes_t *queue)
{
    if (queue->capacity == WEIR_BLOCK_BYTES)
        weir_block_give(queue->base);
    else
        free(queue->base);
}

static void move_to_front(weir_bytes_t *queue)
{
    memmove(queue->base, queue->base + queue->start, queue->end - queue->start);
    queue->end -= queue->start;
    queue->start = 0;
}

static size_t capacity_for(size_t count)
{
    size_t capacity = FIRST_CAPACITY;

    while (capacity < count && capacity <= COPY_BYTES)
        capacity *= 2;
    if (capacity >= count)
        return capacity;
    capacity = WEIR_BLOCK_BYTES;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

static void enlarge(weir_bytes_t *queue, size_t count)
{
    weir_bytes_t larger = {.end = queue->end, .capacity = capacity_for(count)};

    larger.base = larger.capacity == WEIR_BLOCK_BYTES ? weir_block_take() : malloc(larger.capacity);
    WEIR_MUST(larger.base != NULL);
    if (queue->end > 0)
        memcpy(larger.base, queue->base, queue->end);
    release(queue);
    *queue = larger;
}

char *weir_bytes_reserve(weir_bytes_t *queue, size_t count)
{
    if (queue->capacity - queue->end >= count)
        return queue->base + queue->end;
    if (queue->start > 0)
        move_to_front(queue);
    if (queue->capacity - queue->end < count)
        enlarge(queue, queue->end + count);
    return queue->base + queue->end;
}

void weir_bytes_append(weir_bytes_t *queue, weir_span_t bytes)
{
    if (bytes.len == 0)
        return;
    memcpy(weir_bytes_reserve(queue, bytes.len), bytes.base, bytes.len);
    queue->end += bytes.len;
}

void weir_bytes_append_rest(weir_bytes_t *queue, const struct iovec *pieces, int count, size_t written_bytes)
{
    for (int i = 0; i < count; i++) {
        size_t skipped_bytes = written_bytes < pieces[i].iov_len ? written_bytes : pieces[i].iov_len;
        written_bytes -= skipped_bytes;
        weir_bytes_append(queue,
                          (weir_span_t){(const char *)pieces[i].iov_base + skipped_bytes, pieces[i].iov_len - skipped_bytes});
    }
}

void weir_bytes_consume(weir_bytes_t *queue, size_t count)
{
    WEIR_MUST(count <= weir_bytes_count(queue));
    queue->start += count;
    if (queue->start == queue->end)
        weir_bytes_free(queue);
}

void weir_bytes_free(weir_bytes_t *queue)
{
    release(queue);
    *queue = (weir_bytes_t){0};
}

void weir_bytes_keep(weir_bytes_t *queue, char **scratch, weir_span_t bytes)
{
    if (bytes.len <= COPY_BYTES || queue->capacity > 0) {
        weir_bytes_append(queue, bytes);
        return;
    }
    *queue = (weir_bytes_t){.base = *scratch, .capacity = WEIR_BLOCK_BYTES};
    queue->start = (size_t)(bytes.base - *scratch);
    queue->end = queue->start + bytes.len;
    *scratch = weir_block_take();
}
