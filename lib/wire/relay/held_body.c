/* SPDX-License-Identifier: MIT */
#include "lib/wire/relay/held_body.h"

#include <string.h>

enum { CHUNK_BYTES = 16384 };

typedef struct chunk {
    struct chunk *next;
    size_t len, capacity;
    char bytes[];
} chunk_t;

struct held_body {
    weir_body_sink_t sink; /* what the front sees */
    weir_exchange_t *x;
    chunk_t *first, *last;
    size_t kept_bytes;
    bool is_open;              /* the front hands it out */
    bool is_lost;              /* it was too long, and is not kept any more */
    bool has_last;             /* it has come whole      */
    const weir_fault_t *fault; /* it will not come whole */

    weir_body_sink_t *to; /* the relay's, or NULL between two */
    bool is_paused;       /* by it                            */
    bool is_handing;      /* hand_over() is on the stack      */
    bool is_told;         /* it has had the last piece, or the fault */
    chunk_t *at;          /* what it gets next; NULL: all that is kept was handed over */
    size_t offset;
};

static weir_front_t *front_of(const held_body_t *held)
{
    return held->x->front;
}

static void pause_front(const held_body_t *held)
{
    if (front_of(held) != NULL && !held->has_last)
        front_of(held)->ops->body_pause(front_of(held)->req);
}

static void resume_front(const held_body_t *held)
{
    if (front_of(held) != NULL && !held->has_last)
        front_of(held)->ops->body_resume(front_of(held)->req);
}

/* ---- keeping ---- */

static chunk_t *add_chunk(held_body_t *held)
{
    chunk_t *chunk = weir_arena_alloc(&held->x->arena, sizeof(*chunk) + CHUNK_BYTES);

    chunk->next = NULL;
    chunk->len = 0;
    chunk->capacity = CHUNK_BYTES;
    if (held->last != NULL)
        held->last->next = chunk;
    else
        held->first = chunk;
    return held->last = chunk;
}

static void keep(held_body_t *held, weir_span_t bytes)
{
    held->kept_bytes += bytes.len;
    while (bytes.len > 0) {
        chunk_t *chunk = held->last != NULL && held->last->len < held->last->capacity ? held->last : add_chunk(held);
        size_t room = chunk->capacity - chunk->len, count = bytes.len < room ? bytes.len : room;
        memcpy(chunk->bytes + chunk->len, bytes.base, count);
        chunk->len += count;
        bytes.base += count;
        bytes.len -= count;
    }
}

/* ---- handing over what is kept ---- */

static bool has_more(const held_body_t *held)
{
    return held->at != NULL && (held->offset < held->at->len || held->at->next != NULL);
}

/* The next pieces. */
static size_t take(held_body_t *held, weir_span_t pieces[static WEIR_BODY_PIECES])
{
    size_t count = 0;

    while (count < WEIR_BODY_PIECES && has_more(held)) {
        if (held->offset == held->at->len) {
            held->at = held->at->next;
            held->offset = 0;
            continue;
        }
        pieces[count++] = (weir_span_t){held->at->bytes + held->offset, held->at->len - held->offset};
        held->offset = held->at->len;
    }
    return count;
}

/* As much as the sink wants. It may pause, resume or be detached by what it is handed. */
static void hand_over(held_body_t *held)
{
    if (held->is_handing)
        return;
    held->is_handing = true;
    while (held->to != NULL && !held->is_paused && !held->is_told) {
        weir_span_t pieces[WEIR_BODY_PIECES];
        const size_t count = take(held, pieces);
        const bool is_end = !has_more(held);

        if (is_end && held->fault != NULL) {
            held->is_told = true;
            held->to->on_fault(held->to, held->fault);
            break;
        }
        if (count == 0 && !(is_end && held->has_last))
            break;
        held->is_told = is_end && held->has_last;
        held->to->on_data(held->to, pieces, count, held->is_told);
    }
    held->is_handing = false;
    if (held->to != NULL && !held->is_paused && !has_more(held))
        resume_front(held);
}

/* ---- the front's side ---- */

static void on_data(weir_body_sink_t *sink, const weir_span_t *pieces, size_t count, bool is_last)
{
    held_body_t *held = WEIR_AROUND(sink, held_body_t, sink);
    const size_t limit_bytes = held->x->target.hold_body_bytes;
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += pieces[i].len;
    held->x->journal.client_received_bytes += total;
    held->has_last = is_last;
    /* Too long, and all before it is on its way: from here on it only passes. Between two relays everything is kept */
    if (held->to != NULL && !has_more(held) && !held->is_handing && (held->is_lost || held->kept_bytes + total > limit_bytes)) {
        held->is_lost = true;
        held->is_told = is_last;
        held->to->on_data(held->to, pieces, count, is_last);
        return;
    }
    for (size_t i = 0; i < count; i++)
        keep(held, pieces[i]);
    if (held->at == NULL)
        held->at = held->first;
    hand_over(held);
}

static void on_fault(weir_body_sink_t *sink, const weir_fault_t *fault)
{
    held_body_t *held = WEIR_AROUND(sink, held_body_t, sink);

    held->fault = fault;
    hand_over(held);
}

/* ---- the relay's side ---- */

held_body_t *held_body_create(weir_exchange_t *x)
{
    held_body_t *held = weir_arena_zalloc(&x->arena, sizeof(*held));

    held->x = x;
    held->sink = (weir_body_sink_t){.on_data = on_data, .on_fault = on_fault};
    return held;
}

held_body_t *held_body_of(weir_exchange_t *x, weir_span_t whole)
{
    held_body_t *held = held_body_create(x);

    x->journal.client_received_bytes += whole.len;
    held->is_open = held->has_last = true;
    keep(held, whole);
    return held;
}

void held_body_attach(held_body_t *held, weir_body_sink_t *sink)
{
    weir_front_t *front = front_of(held);

    held->to = sink;
    held->is_paused = held->is_told = false;
    held->at = held->first;
    held->offset = 0;
    if (!held->is_open && front != NULL) {
        held->is_open = true;
        front->ops->body_open(front->req, &held->sink);
        return;
    }
    hand_over(held);
}

void held_body_detach(held_body_t *held)
{
    held->to = NULL;
    pause_front(held);
}

void held_body_pause(held_body_t *held)
{
    held->is_paused = true;
    pause_front(held);
}

void held_body_resume(held_body_t *held)
{
    held->is_paused = false;
    hand_over(held);
}

bool held_body_is_whole(const held_body_t *held)
{
    return !held->is_lost;
}
