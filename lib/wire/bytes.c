/* SPDX-License-Identifier: MIT */
#include "lib/wire/bytes.h"

#include <stdlib.h>

#include "lib/base/must.h"

enum { FIRST_CAPACITY = 2048 };

static void move_to_front(weir_bytes_t *queue)
{
    memmove(queue->base, queue->base + queue->start, queue->end - queue->start);
    queue->end -= queue->start;
    queue->start = 0;
}

char *weir_bytes_reserve(weir_bytes_t *queue, size_t count)
{
    if (queue->capacity - queue->end >= count)
        return queue->base + queue->end;
    if (queue->start > 0)
        move_to_front(queue);
    if (queue->capacity - queue->end < count) {
        size_t capacity = queue->capacity == 0 ? FIRST_CAPACITY : queue->capacity;
        while (capacity - queue->end < count)
            capacity *= 2;
        queue->base = realloc(queue->base, capacity);
        WEIR_MUST(queue->base != NULL);
        queue->capacity = capacity;
    }
    return queue->base + queue->end;
}

void weir_bytes_append(weir_bytes_t *queue, weir_span_t bytes)
{
    if (bytes.len == 0)
        return;
    memcpy(weir_bytes_reserve(queue, bytes.len), bytes.base, bytes.len);
    queue->end += bytes.len;
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
    free(queue->base);
    *queue = (weir_bytes_t){0};
}
