/* SPDX-License-Identifier: MIT */
/* The relay: its start, its timers and its ends (the picture is in relay.h). */
#include "lib/wire/relay/relay.h"

#include "lib/base/must.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/loop/loop.h"

static void on_end_letter(weir_letter_t *letter)
{
    relay_t *relay = WEIR_AROUND(letter, relay_t, end);

    relay->back->ending = NULL;
    relay->events->on_end(relay->x, relay->fault);
}

/* Nothing more is read or written, on either side. */
static void rest(relay_t *relay)
{
    relay->is_over = true;
    weir_back_t *back = relay->back;
    weir_timer_cancel(&back->timer);
    back->ops->rest(relay);
    back->relay = NULL;
    weir_front_t *front = relay->x->front;
    if (front != NULL && front->relay == relay) {
        front->relay = NULL;
        relay_close_body(relay);
    }
    weir_pipe_give(relay->x->loop->pipes, &relay->up.pipe);
    weir_pipe_give(relay->x->loop->pipes, &relay->down.pipe);
}

/* Whether the connection stands exactly behind a message, both ways: only then it may be used again. */
static bool is_clean(const relay_t *relay)
{
    return relay->down.state == RELAY_DONE && relay->down.is_persistent && !relay->down.has_surplus && relay->up.is_done &&
           !relay->up.is_broken && weir_bytes_count(&relay->back->in) == 0;
}

void relay_fail(relay_t *relay, const weir_fault_t *fault)
{
    if (relay->is_over)
        return;
    rest(relay);
    relay->fault = fault;
    relay->back->ending = relay;
    weir_loop_post(relay->x->loop, &relay->end);
}

void relay_on_delivered(relay_t *relay)
{
    if (relay->is_over)
        return;
    relay->back->is_clean = is_clean(relay);
    rest(relay);
    relay->events->on_end(relay->x, NULL);
}

void weir_relay_stop(weir_exchange_t *x)
{
    if (x->back == NULL)
        return;
    if (x->back->ending != NULL) { /* its letter is under way, and nobody waits for it any more */
        weir_list_remove(&x->back->ending->end.link);
        x->back->ending = NULL;
    }
    if (x->back->relay == NULL)
        return;
    relay_t *relay = x->back->relay;
    rest(relay);
}

/* ---- timers ---- */

static void on_first_byte_due(weir_timer_t *timer)
{
    relay_fail(WEIR_AROUND(timer, weir_back_t, timer)->relay, &weir_fault_backend_timeout);
}

static void on_backend_stalled(weir_timer_t *timer)
{
    relay_fail(WEIR_AROUND(timer, weir_back_t, timer)->relay, &weir_fault_backend_stalled);
}

static void on_tunnel_idle(weir_timer_t *timer)
{
    relay_fail(WEIR_AROUND(timer, weir_back_t, timer)->relay, &weir_fault_tunnel_idle);
}

void relay_arm(relay_t *relay)
{
    if (relay->is_over)
        return;
    weir_back_t *back = relay->back;
    const weir_plan_t *plan = relay->x->plan;
    bool is_taking =
        weir_bytes_count(&back->out) + back->lent_bytes == 0 && (relay->up.pipe == NULL || relay->up.pipe->held_bytes == 0);
    if (relay->down.state == RELAY_TUNNEL)
        weir_timer_set(back->loop, &back->timer, plan->tunnel_timeout_ms, on_tunnel_idle);
    else if (relay->down.state == RELAY_DONE || relay->down.is_client_blocked)
        weir_timer_cancel(&back->timer);
    else if (!is_taking)
        weir_timer_set(back->loop, &back->timer, plan->idle_timeout_ms, on_backend_stalled);
    else if (relay->down.state == RELAY_HEAD && !relay->up.is_done && !relay->up.is_broken)
        weir_timer_cancel(&back->timer); /* the client's turn: its front has a timer */
    else if (relay->down.state == RELAY_HEAD && !back->has_answered)
        weir_timer_set(back->loop, &back->timer, plan->first_byte_timeout_ms, on_first_byte_due);
    else
        weir_timer_set(back->loop, &back->timer, plan->idle_timeout_ms, on_first_byte_due);
}

/* ---- the walk's words ---- */

void weir_relay_start(weir_exchange_t *x, const weir_backend_head_t *head, weir_framing_t body,
                      const weir_relay_events_t *events)
{
    weir_back_t *back = x->back;

    WEIR_MUST(back != NULL && back->relay == NULL);
    relay_t *relay = weir_arena_zalloc(&x->arena, sizeof(*relay));
    relay->x = x;
    relay->back = back;
    relay->events = events;
    relay->end.open = on_end_letter;
    weir_list_init(&relay->end.link);
    relay->up.framing = body;
    relay->down.decoder.trailer_limit_bytes = x->context->settings->max_trailer_bytes;
    back->relay = relay;
    back->has_answered = back->is_clean = false;
    if (x->front != NULL)
        x->front->relay = relay;
    back->ops->start(relay, head);
    if (relay->up.is_broken) /* else whoever wrote has done it */
        relay_arm(relay);
}

/* HTTP/2 has them behind a length, too; HTTP/1 only behind chunks (RFC 9112 §7.1.2). */
static bool may_have_trailers(const relay_t *relay, const weir_reply_head_t *head)
{
    return relay->x->target.protocol == WEIR_HTTP2 && head->framing.kind == WEIR_FRAMING_LENGTH &&
           weir_headers_find(head->headers, WEIR_HEADER_TRAILER) != NULL;
}

void weir_relay_respond(weir_exchange_t *x, const weir_reply_head_t *head)
{
    relay_t *relay = x->back->relay;
    weir_front_t *front = x->front;

    if (front == NULL)
        return;
    weir_reply_head_t known = *head;
    if (relay->down.has_ended && head->framing.kind == WEIR_FRAMING_UNTIL_CLOSE) { /* HTTP/2: the head is all there is */
        known.framing = (weir_framing_t){WEIR_FRAMING_NONE, 0};
        known.content_length = 0;
        head = &known;
    }
    weir_front_prepare(front, head);
    if (may_have_trailers(relay, head))
        weir_front_chunk(front);
    if (relay->up.is_broken && x->held_body != NULL) /* there will be no other relay */
        front->ops->body_close(front->req);
    relay->down.framing = head->framing;
    relay->down.left_bytes = head->framing.length_bytes;
    bool is_short = head->framing.kind == WEIR_FRAMING_LENGTH && head->framing.length_bytes <= WEIR_COLLECT_BYTES;
    relay->down.state = is_short ? RELAY_COLLECT : RELAY_BODY;
    if (head->framing.kind != WEIR_FRAMING_NONE)
        return; /* the head leaves with the first bytes of the body, or by itself if there are none yet */
    relay->down.state = RELAY_DONE;
    (void)weir_front_send(front, NULL, 0, true);
}

void weir_relay_tunnel(weir_exchange_t *x, const weir_reply_head_t *head)
{
    relay_t *relay = x->back->relay;
    weir_front_t *front = x->front;

    if (front == NULL)
        return;
    const weir_fault_t *fault = front->ops->start_tunnel(front->req, head->headers);
    if (fault != NULL) {
        relay_fail(relay, fault);
        return;
    }
    relay->down.state = RELAY_TUNNEL;
    relay->up.framing = (weir_framing_t){WEIR_FRAMING_UNTIL_CLOSE, 0};
    relay->up.has_last = relay->up.is_done = false;
    weir_front_prepare(front, head);
    relay->down.is_client_blocked = !weir_front_send(front, NULL, 0, false);
    relay_open_body(relay);
}

void relay_on_client_writable(relay_t *relay)
{
    if (relay->is_over || relay->down.state == RELAY_DONE)
        return;
    relay->down.is_client_blocked = false;
    relay->down.interim_bytes = 0;
    relay->back->ops->on_client_writable(relay);
}

void relay_check_tunnel(relay_t *relay)
{
    weir_front_t *front = relay->x->front;

    if (relay->down.state != RELAY_TUNNEL || !relay->down.has_ended || !relay->up.is_done || front == NULL)
        return;
    relay->down.state = RELAY_DONE;
    relay->down.is_persistent = false;
    weir_timer_cancel(&relay->back->timer);
    (void)weir_front_send(front, NULL, 0, true);
}

/* ---- what both protocols do with the client's body ---- */

/* A body that may have to be sent again passes through held_body.c; what was handed out directly can't. */
static bool is_to_be_held(const weir_exchange_t *x)
{
    return x->target.hold_body_bytes > 0 && !x->is_upgrading && x->front != NULL &&
           !x->front->ops->is_body_touched(x->front->req);
}

void relay_open_body(relay_t *relay)
{
    weir_exchange_t *x = relay->x;
    weir_front_t *front = x->front;

    if (x->held_body == NULL && is_to_be_held(x))
        x->held_body = held_body_create(x);
    if (x->held_body != NULL)
        held_body_attach(x->held_body, &relay->up.sink);
    else if (front != NULL)
        front->ops->body_open(front->req, &relay->up.sink);
}

void relay_close_body(relay_t *relay)
{
    weir_exchange_t *x = relay->x;
    weir_front_t *front = x->front;

    if (x->held_body != NULL) {
        held_body_detach(x->held_body);
        if (!x->has_responded)
            return; /* there may be another relay */
    }
    if (front != NULL)
        front->ops->body_close(front->req);
}

bool weir_relay_holds_body(const weir_exchange_t *x)
{
    return x->held_body != NULL ? held_body_is_whole(x->held_body) : !weir_front_is_body_touched(x);
}

bool weir_relay_has_whole_body(const weir_exchange_t *x)
{
    return x->back != NULL && x->back->relay != NULL && x->back->relay->up.has_last;
}

weir_relay_side_t weir_relay_waits_for(const weir_exchange_t *x)
{
    const relay_t *relay = x->back != NULL ? x->back->relay : NULL;

    if (relay == NULL || relay->down.state == RELAY_TUNNEL)
        return WEIR_RELAY_NOBODY;
    if (relay->down.state == RELAY_DONE || relay->down.is_client_blocked)
        return WEIR_RELAY_CLIENT;
    if (relay->down.state != RELAY_HEAD || relay->up.is_broken)
        return WEIR_RELAY_BACKEND;
    if (relay->up.is_done || x->wants_continue)
        return WEIR_RELAY_NOBODY;
    const bool is_taking = weir_bytes_count(&x->back->out) + x->back->lent_bytes == 0 &&
                           (relay->up.pipe == NULL || relay->up.pipe->held_bytes == 0);
    return relay->up.has_last || !is_taking ? WEIR_RELAY_BACKEND : WEIR_RELAY_CLIENT;
}

uint64_t weir_relay_moved_bytes(const weir_exchange_t *x)
{
    const weir_front_t *front = x->front;
    const size_t left_bytes = front != NULL && front->ops->unsent_bytes != NULL ? front->ops->unsent_bytes(front->req) : 0;

    return x->journal.client_received_bytes + x->journal.client_sent_bytes - left_bytes;
}

void relay_count_sent(relay_t *relay, size_t bytes)
{
    weir_journal_t *journal = &relay->x->journal;
    size_t left_bytes = relay->up.head_left_bytes;

    journal->backend_sent_bytes += bytes;
    if (left_bytes == 0)
        return;
    relay->up.head_left_bytes = bytes < left_bytes ? left_bytes - bytes : 0;
    if (relay->up.head_left_bytes == 0)
        journal->head_sent_at_us = weir_loop_now_us(relay->x->loop);
}

bool relay_count_up(relay_t *relay, size_t bytes, bool is_last)
{
    relay->up.taken_bytes += bytes;
    if (relay->x->held_body == NULL) /* else counted where it came in, and perhaps sent twice */
        relay->x->journal.client_received_bytes += bytes;
    relay->up.has_last = is_last;
    if (relay->down.state == RELAY_TUNNEL || relay->up.taken_bytes <= relay->x->plan->max_body_bytes)
        return true;
    relay_fail(relay, &weir_fault_body_too_large);
    return false;
}

void relay_on_body_fault(weir_body_sink_t *sink, const weir_fault_t *fault)
{
    relay_t *relay = WEIR_AROUND(sink, relay_t, up.sink);

    if (!relay->x->has_responded) {
        relay_fail(relay, fault);
        return;
    }
    relay->up.is_broken = true;
    relay_arm(relay);
}
