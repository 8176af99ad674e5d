/* SPDX-License-Identifier: MIT */
#include "lib/base/trace_queue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "lib/base/metrics.h"
#include "lib/base/must.h"

enum { LIMIT_AT_FIRST = 10000 };

/* What one thread has put; the newest first. */
typedef struct box {
    struct box *next;
    weir_trace_item_t *_Atomic newest;
} box_t;

static box_t *_Atomic boxes;
static __thread box_t *my_box;
static _Atomic size_t waiting, waiting_bytes;
static _Atomic size_t limit = LIMIT_AT_FIRST;
static _Atomic int wake_fd = -1;

void weir_trace_queue_limit(size_t most)
{
    atomic_store(&limit, most);
}

void weir_trace_queue_wake(int fd)
{
    atomic_store(&wake_fd, fd);
}

static box_t *open_box(void)
{
    box_t *box = calloc(1, sizeof(*box));

    WEIR_MUST(box != NULL);
    box->next = atomic_load_explicit(&boxes, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&boxes, &box->next, box, memory_order_release, memory_order_relaxed))
        continue;
    return my_box = box;
}

static void give_room(size_t bytes)
{
    atomic_fetch_sub(&waiting_bytes, bytes);
    atomic_fetch_sub(&waiting, 1);
}

/* Takes a place. False: there is none. */
static bool take_room(size_t bytes, size_t *out_before)
{
    const size_t bytes_before = atomic_fetch_add(&waiting_bytes, bytes);

    *out_before = atomic_fetch_add(&waiting, 1);
    if (*out_before < atomic_load_explicit(&limit, memory_order_relaxed) && bytes_before + bytes <= WEIR_TRACE_QUEUE_BYTES_MOST)
        return true;
    give_room(bytes);
    return false;
}

static void push(box_t *box, weir_trace_item_t *item)
{
    item->next = atomic_load_explicit(&box->newest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&box->newest, &item->next, item, memory_order_release, memory_order_relaxed))
        continue;
}

bool weir_trace_queue_put(weir_span_t text)
{
    const size_t bytes = sizeof(weir_trace_item_t) + text.len;
    weir_trace_item_t *item;
    size_t before;

    if (!take_room(bytes, &before)) {
        weir_metrics_add(WEIR_CELL_spans_full, 1);
        return false;
    }
    item = malloc(bytes);
    WEIR_MUST(item != NULL);
    item->len = text.len;
    memcpy(item->text, text.base, text.len);
    push(my_box != NULL ? my_box : open_box(), item);
    if (before == 0 || before + 1 == WEIR_TRACE_BATCH)
        (void)eventfd_write(atomic_load(&wake_fd), 1);
    return true;
}

/* Turns a box's items round, in front of `list`. */
static weir_trace_item_t *prepend_reversed(weir_trace_item_t *items, weir_trace_item_t *list)
{
    while (items != NULL) {
        weir_trace_item_t *next = items->next;
        items->next = list;
        list = items;
        items = next;
    }
    return list;
}

weir_trace_item_t *weir_trace_queue_take(void)
{
    weir_trace_item_t *list = NULL;

    for (box_t *box = atomic_load_explicit(&boxes, memory_order_acquire); box != NULL; box = box->next)
        list = prepend_reversed(atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire), list);
    return list;
}

void weir_trace_queue_free(weir_trace_item_t *item)
{
    give_room(sizeof(*item) + item->len);
    free(item);
}

size_t weir_trace_queue_waiting(void)
{
    return atomic_load(&waiting);
}
