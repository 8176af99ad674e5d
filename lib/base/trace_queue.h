/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_TRACE_QUEUE_H
#define WEIR_BASE_TRACE_QUEUE_H
/**
 * @file  Finished spans of traces, on their way from the threads that serve to the one that sends them.
 *
 *   loop ─► its own box ─┐
 *   loop ─► its own box ─┴─ taken as a whole by the sender
 *
 * Each thread puts into a box of its own, without a lock. What they share is one number, how many are waiting, which only a
 * request that is recorded touches. A box outlives its thread.
 */
#include "weir_types.h"

enum {
    WEIR_TRACE_QUEUE_BYTES_MOST = 64 * 1024 * 1024, /* of all that wait, whatever their number */
    WEIR_TRACE_BATCH = 512,                         /* the sender is woken when so many wait */
};

/** A span, as text. */
typedef struct weir_trace_item {
    struct weir_trace_item *next;
    size_t len;
    char text[];
} weir_trace_item_t;

/** Most that may wait, those that are being sent among them. Any thread. */
void weir_trace_queue_limit(size_t most);

/** An eventfd that is written to when something comes into an empty queue, and when a batch is full; -1: none. Any thread. */
void weir_trace_queue_wake(int fd);

/** Copies a span into the queue. False if there is no room: it is lost, and counted. Any thread; waits for nobody. */
bool weir_trace_queue_put(weir_span_t text);

/** Takes all that is there, what one thread has put in its order; NULL: nothing. It waits until it is freed. One thread. */
weir_trace_item_t *weir_trace_queue_take(void);

/** Frees one that was taken, and makes room for another. The same thread. */
void weir_trace_queue_free(weir_trace_item_t *item);

/** How many wait. Any thread. */
size_t weir_trace_queue_waiting(void);

#endif
