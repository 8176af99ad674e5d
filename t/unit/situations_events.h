/* SPDX-License-Identifier: MIT */
#ifndef SITUATIONS_EVENTS_H
#define SITUATIONS_EVENTS_H
/**
 * @file  What is to come in a model: a heap of events, earliest first; and the requests that they are about.
 */
#include "fake_wire.h"

typedef enum model_what { MODEL_ARRIVAL, MODEL_DONE, MODEL_FAILED, MODEL_TIMEOUT, MODEL_JOINED, MODEL_LOOK } model_what_t;

typedef struct model_request {
    weir_front_t front;
    weir_exchange_t *x; /* while it is open */
    struct model_request *next;
    uint64_t number; /* of all that came; its memory is used again */
    double arrived_s, work_s;
    unsigned backend;
    bool is_open;       /* its client waits                       */
    bool is_at_backend; /* a worker has it, or it waits for one   */
} model_request_t;

typedef struct model_event {
    uint64_t at_us;
    model_what_t what;
    unsigned backend;
    model_request_t *request; /* may be another one by then: */
    uint64_t number;
} model_event_t;

static model_event_t *model_heap;
static size_t model_heap_count, model_heap_room;

static inline void model_event_put(model_event_t event)
{
    size_t at = model_heap_count++;

    if (model_heap_count > model_heap_room) {
        model_heap_room = 2 * model_heap_room + 1024;
        model_heap = realloc(model_heap, model_heap_room * sizeof(*model_heap));
        WEIR_MUST(model_heap != NULL);
    }
    for (; at > 0 && model_heap[(at - 1) / 2].at_us > event.at_us; at = (at - 1) / 2)
        model_heap[at] = model_heap[(at - 1) / 2];
    model_heap[at] = event;
}

/* False: there are none. */
static inline bool model_event_take(model_event_t *out)
{
    size_t at = 0, child;

    if (model_heap_count == 0)
        return false;
    *out = model_heap[0];
    const model_event_t last = model_heap[--model_heap_count];
    while ((child = 2 * at + 1) < model_heap_count) {
        child += child + 1 < model_heap_count && model_heap[child + 1].at_us < model_heap[child].at_us;
        if (model_heap[child].at_us >= last.at_us)
            break;
        model_heap[at] = model_heap[child];
        at = child;
    }
    model_heap[at] = last;
    return true;
}

static inline void model_events_free(void)
{
    WEIR_MUST(model_heap_count == 0);
    free(model_heap);
    model_heap = NULL;
    model_heap_room = 0;
}

#endif
