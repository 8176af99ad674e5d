/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_HELD_BODY_H
#define WEIR_WIRE_HELD_BODY_H
/**
 * @file  The body of a request that may have to be sent twice: between the front, which hands it out once, and the relays, of
 * which there may be several, one after the other.
 *
 *   front ──► held_body ──live, or from the beginning──► relay->up.sink
 *                └─ between two relays the front is paused
 *
 * What is kept is bounded by target.hold_body_bytes. A longer body passes as ever, and cannot be sent again.
 *
 * OWNER    The exchange: it lies in its arena.
 * THREAD   The loop's.
 */
#include "lib/wire/relay/front.h"

typedef struct held_body held_body_t;

/** Begins to hold the body of `x`, none of which was handed out yet. */
held_body_t *held_body_create(weir_exchange_t *x);

/** A body that has come whole already, before the exchange; it is copied. */
held_body_t *held_body_of(weir_exchange_t *x, weir_span_t whole);

/** Hands the body to `sink`, from its beginning; later pieces as they come. May do some of it before it returns. */
void held_body_attach(held_body_t *held, weir_body_sink_t *sink);

/** Forgets the sink; the front is paused, and the body stays. */
void held_body_detach(held_body_t *held);

/** For the sink: no more for now; go on. */
void held_body_pause(held_body_t *held);
void held_body_resume(held_body_t *held);

/** Whether all that has come is kept. */
bool held_body_is_whole(const held_body_t *held);

#endif
