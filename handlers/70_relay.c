/* SPDX-License-Identifier: MIT */
/*
 * 70 relay: the request to the backend, the response to the client.
 *
 *   reads     the request, x->target, x->back, x->wants_upgrade, x->wants_continue
 *   writes    x->is_upgrading, x->has_continued, x->wants_continue, x->has_passed_continue, x->has_passed_interim,
 *             x->wants_fresh, x->attempt, x->is_cut, x->is_relayed, x->cause, x->fault, journal
 *   asks      feature peer_port, additional_headers (both ways), answered, retry_request, and then checkin_service
 *   verdicts  done when the response is out, or cut; refuse if none of it was sent, or no script can be named; back to 60,
 *             once for each pick, when a pooled connection turned out to be dead, or an HTTP/2 backend has not taken the
 *             request, and it may be sent again; back to 50 when the router wants it to be sent again, and it can be
 */
#include "handlers/backend_head.h"
#include "handlers/grpc.h"
#include "handlers/relay_limits.h"
#include "handlers/server_timing.h"
#include "handlers/stages.h"
#include "lib/base/metrics.h"
#include "lib/http/forwarded.h"
#include "lib/http/hop.h"
#include "lib/http/status.h"
#include "lib/http/token_list.h"
#include "lib/walk/attempt.h"
#include "lib/walk/back.h"
#include "lib/walk/response.h"
#include "lib/walk/pipeline.h"
#include "router/ask.h"

enum {
    INTERIM_MOST = 64, /* in a row: INTERIM_ROW_US apart, or behind more of the client's body, a new row begins */
    INTERIM_ROW_US = 60000000,
    CONNECTS_MOST = 1000, /* as 60 has it */
    STATUS_CONTINUE = 100,
    STATUS_SWITCHING = 101,
    STATUS_NOT_MODIFIED = 304,
    STATUS_ERROR = 400,
    STATUS_UPGRADE_REQUIRED = 426,
};

typedef struct memory {
    weir_exchange_t *x;
    struct {
        unsigned count;
        uint64_t began_at_us;
        uint64_t body_bytes; /* of the client's when it began */
    } interims;              /* the backend's, in a row */
    weir_timer_t try_timer;
    relay_limits_t limits;
} memory_t;

/* ---- once more, with another service ---- */

static void on_returned(weir_exchange_t *x, const ask_answer_t *answer)
{
    if (answer->fault != NULL)
        weir_walk_refuse(x, answer->fault);
    else if (x->journal.connects >= CONNECTS_MOST)
        weir_walk_refuse(x, &weir_fault_too_many_attempts);
    else
        weir_walk_back(x, WEIR_STAGE_CHECKOUT);
}

/*
 * Whether the router wants another attempt; then the service goes back, and the walk to 50. fault NULL: the backend's own
 * error.
 */
static bool retry(weir_exchange_t *x, const weir_fault_t *fault)
{
    if (fault != NULL && fault->blame == WEIR_BLAME_CLIENT)
        return false; /* no other service would do better */
    if (!ask_retry(x, fault))
        return false;
    weir_relay_stop(x);
    ask_checkin(x, WEIR_CONNECTED, fault, on_returned);
    return true;
}

/* From outside: whoever goes through all requests meets no one that ends meanwhile. */
static void on_cut(weir_exchange_t *x)
{
    relay_limits_cut(&((memory_t *)weir_stage_memory(x))->limits);
}

static void stop_timers(memory_t *memory)
{
    memory->x->on_cut = NULL;
    weir_timer_cancel(&memory->try_timer);
    relay_limits_stop(&memory->limits);
}

static void fail(weir_exchange_t *x, const weir_fault_t *fault)
{
    stop_timers(weir_stage_memory(x));
    weir_attempt_fail(x, fault);
    weir_relay_stop(x);
    if (!retry(x, fault))
        weir_walk_refuse(x, fault);
}

/* ---- interim responses ---- */

/*
 * Vegur: the backend's first 100 is passed on, also after one of our own. RFC 9110 §15.2: more of them mean nothing more, as
 * little as those of the next backend behind one that was tried before.
 */
static void on_continue(weir_exchange_t *x)
{
    if (x->request.version == 10)
        return;
    x->wants_continue = false;
    if (x->has_passed_continue)
        return;
    x->has_passed_continue = x->has_continued = true;
    if (!weir_front_interim(x, STATUS_CONTINUE, NULL))
        fail(x, &weir_fault_backend_too_many_interim);
}

/*
 * An upload may be told of for as long as it goes on (104), and work of hours now and then (102). What comes faster than either
 * leads nowhere.
 */
static bool is_flood(memory_t *memory)
{
    const weir_exchange_t *x = memory->x;
    const uint64_t now_us = weir_loop_now_us(x->loop);
    const bool has_grown = x->journal.client_received_bytes > memory->interims.body_bytes;

    if (memory->interims.count == 0 || has_grown || now_us - memory->interims.began_at_us >= INTERIM_ROW_US) {
        memory->interims.count = 0;
        memory->interims.began_at_us = now_us;
        memory->interims.body_bytes = x->journal.client_received_bytes;
    }
    return ++memory->interims.count > INTERIM_MOST;
}

/* Of its own arena: there may be any number of them. */
static bool pass_interim(weir_exchange_t *x, const weir_response_head_t *head)
{
    weir_headers_t headers;
    weir_arena_t arena;
    bool is_taken;

    weir_arena_init(&arena);
    headers = weir_headers_copy(&arena, &head->headers);
    weir_hop_strip_response(&headers, false);
    weir_headers_recase(x, &arena, &headers);
    x->has_passed_interim = true;
    is_taken = weir_front_interim(x, head->status, &headers);
    weir_arena_finish(&arena);
    return is_taken;
}

static void on_interim(weir_exchange_t *x, const weir_response_head_t *head)
{
    x->attempt.has_interim = true;
    if (is_flood(weir_stage_memory(x))) {
        fail(x, &weir_fault_backend_too_many_interim);
        return;
    }
    if (head->status == STATUS_CONTINUE) {
        on_continue(x);
        return;
    }
    if (x->request.version == 10)
        return; /* RFC 9110 §15.2 */
    if (!pass_interim(x, head))
        fail(x, &weir_fault_backend_too_many_interim);
}

/* ---- the final one ---- */

/* The router may change it. */
static void add_own(weir_exchange_t *x, weir_headers_t *headers)
{
    if (x->plan->via.len != 0)
        weir_forwarded_append(headers, &x->arena, WEIR_HEADER_VIA, WEIR_SPAN("Via"),
                              weir_backend_via(x, &x->arena, x->target.protocol == WEIR_HTTP2));
    if (x->plan->has_server_timing)
        weir_server_timing_add(x, headers);
}

/* Who will read the response's headers when they are gone from the wire's buffer. */
static bool is_asked_afterwards(const weir_exchange_t *x)
{
    const weir_router_t *router = x->binding->router;

    return !router->needs_no_response && (router->terminate != NULL || router->log != NULL);
}

/* The head is there: this attempt is no longer under its own clock, and the router hears of it. */
static void note_head(weir_exchange_t *x, const weir_response_head_t *head, bool is_all)
{
    memory_t *memory = weir_stage_memory(x);

    weir_timer_cancel(&memory->try_timer);
    x->attempt.status = x->journal.backend_status = head->status;
    x->attempt.head_at_us = weir_loop_now_us(x->loop);
    if (is_all)
        x->attempt.grpc_status = weir_grpc_status_of(&head->headers);
    weir_response_lend(x, &head->headers);
    ask_answered(x);
}

/* Vegur: Connection first. */
static void on_switch(weir_exchange_t *x, const weir_response_head_t *head)
{
    weir_headers_t headers = {NULL, 0, 0}, rest;
    weir_reply_head_t reply = {
        .status = STATUS_SWITCHING, .headers = &headers, .content_length = UINT64_MAX, .must_close = true};

    if (!x->is_upgrading) {
        fail(x, &weir_fault_backend_unsolicited_upgrade);
        return;
    }
    note_head(x, head, false);
    rest = weir_headers_copy(&x->arena, &head->headers);
    weir_hop_strip_response(&rest, true);
    add_own(x, &rest);
    ask_headers(x, WEIR_TO_CLIENT, &rest);
    weir_response_take_back(x, is_asked_afterwards(x));
    weir_headers_add(&headers, &x->arena, WEIR_SPAN("Connection"), WEIR_SPAN("Upgrade"));
    for (size_t i = 0; i < rest.count; i++)
        weir_headers_add(&headers, &x->arena, rest.at[i].name, rest.at[i].value);
    weir_response_tell_id(x, &headers);
    weir_headers_recase(x, &x->arena, &headers);
    relay_limits_stop(&((memory_t *)weir_stage_memory(x))->limits); /* a tunnel may be silent, and may last */
    x->is_tunnel = true;
    weir_metrics_add(WEIR_CELL_tunnels_begun, 1);
    weir_relay_tunnel(x, &reply);
}

static bool has_no_body(const weir_response_head_t *head, const weir_framing_t *framing)
{
    return head->is_end || framing->kind == WEIR_FRAMING_NONE;
}

static void on_final(weir_exchange_t *x, const weir_response_head_t *head)
{
    weir_headers_t headers;
    weir_reply_head_t reply = {.status = head->status, .reason = head->reason, .headers = &headers};
    const weir_fault_t *fault =
        weir_framing_of_response(&head->headers, head->status, x->request.is_head, &reply.framing, &reply.content_length);

    /* RFC 8441 §5: to such a client any 2xx says that the tunnel is there. */
    if (fault == NULL && x->is_upgrading && x->request.version == 20 && head->status < 300)
        fault = &weir_fault_backend_no_upgrade;
    if (fault != NULL) {
        fail(x, fault);
        return;
    }
    note_head(x, head, has_no_body(head, &reply.framing));
    if (head->status >= STATUS_ERROR && retry(x, NULL)) {
        weir_response_take_back(x, false);
        return;
    }
    headers = weir_headers_copy(&x->arena, &head->headers);
    /* RFC 9110 §15.5.22: it says to what; HTTP/2 has no word for it. */
    weir_hop_strip_response(&headers, head->status == STATUS_UPGRADE_REQUIRED && x->request.version != 20);
    if (x->plan->hides_server)
        weir_headers_remove(&headers, WEIR_HEADER_SERVER);
    add_own(x, &headers);
    ask_headers(x, WEIR_TO_CLIENT, &headers);
    weir_response_tell_id(x, &headers);
    weir_response_take_back(x, is_asked_afterwards(x));
    weir_headers_recase(x, &x->arena, &headers);
    if (!weir_status_has_body(head->status) && head->status != STATUS_NOT_MODIFIED)
        reply.content_length = UINT64_MAX; /* RFC 9110 §8.6: none for 204 */
    /* Vegur: nobody knows whether the client will still send the body it has announced. */
    reply.must_close = x->wants_continue && !weir_relay_has_whole_body(x);
    weir_relay_respond(x, &reply);
}

static void on_response(weir_exchange_t *x, const weir_response_head_t *head)
{
    if (head->status == STATUS_SWITCHING)
        on_switch(x, head);
    else if (head->status < 200)
        on_interim(x, head);
    else
        on_final(x, head);
}

/* RFC 9110 §9.2.2, RFC 9112 §9.3.1: a request that may have been acted upon is sent again only if that does no harm. */
static bool may_send_again(const weir_exchange_t *x, const weir_fault_t *fault)
{
    bool has_body = x->request.framing.kind != WEIR_FRAMING_NONE;
    bool is_touched = weir_front_is_body_touched(x);

    if (x->wants_fresh || x->has_responded || (is_touched && !weir_relay_holds_body(x)))
        return false;
    if (weir_back_is_untouched(x))
        return true; /* RFC 9113 §8.7: whatever the method */
    if (fault != &weir_fault_backend_closed && fault != &weir_fault_backend_reset && fault != &weir_fault_backend_ping_timeout)
        return false; /* a backend that is silent is not dead, but one that does not answer a PING */
    if (!weir_back_is_stale(x))
        return false;
    return (has_body && !is_touched) || weir_method_is_idempotent(x->request.method);
}

/* Both sides are at rest: a page, if nothing was sent yet, or a clean cut. */
static void end(weir_exchange_t *x, const weir_fault_t *fault)
{
    if (!x->has_responded) {
        weir_walk_refuse(x, fault);
        return;
    }
    x->is_cut = true;
    x->fault = fault;
    weir_front_cut(x);
    weir_walk_done(x);
}

static void on_end(weir_exchange_t *x, const weir_fault_t *fault)
{
    stop_timers(weir_stage_memory(x));
    if (fault == NULL) {
        x->is_relayed = true;
        weir_walk_done(x);
        return;
    }
    weir_attempt_fail(x, fault);
    if (may_send_again(x, fault)) {
        x->wants_fresh = true;
        weir_walk_back(x, WEIR_STAGE_CONNECT);
        return;
    }
    if (!x->has_responded && retry(x, fault))
        return;
    end(x, fault);
}

/* No other service is asked when the request's own time is over. */
static void on_over(weir_exchange_t *x, const weir_fault_t *fault)
{
    stop_timers(weir_stage_memory(x));
    weir_attempt_fail(x, fault);
    weir_relay_stop(x);
    if (fault != &weir_fault_request_too_long && !x->has_responded && retry(x, fault))
        return;
    end(x, fault);
}

static void on_try_due(weir_timer_t *timer)
{
    fail(WEIR_AROUND(timer, memory_t, try_timer)->x, &weir_fault_backend_timeout);
}

/* From the pick on: connecting has taken its part of the time. */
static void set_try_timer(weir_exchange_t *x, memory_t *memory)
{
    const uint64_t limit_us = (uint64_t)x->target.try_timeout_ms * 1000;
    const uint64_t spent_us = weir_loop_now_us(x->loop) - x->attempt.picked_at_us;

    if (limit_us == 0)
        return;
    weir_timer_set(x->loop, &memory->try_timer, spent_us < limit_us ? (uint32_t)((limit_us - spent_us) / 1000) : 1, on_try_due);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    memory_t *relay = memory;

    stop_timers(relay);
    weir_relay_stop(x);
    ask_abandon(x);
}

/*
 * RFC 9110 §7.8: Upgrade may be ignored. But a WebSocket client can do nothing with any other answer. False: it must be
 * refused.
 */
static bool settle_upgrade(weir_exchange_t *x)
{
    const weir_header_t *upgrade = weir_headers_find(&x->request.headers, WEIR_HEADER_UPGRADE);
    const bool is_http1 = x->target.protocol == WEIR_HTTP1;

    x->is_upgrading = x->wants_upgrade && is_http1;
    if (!x->wants_upgrade || is_http1 || upgrade == NULL || !weir_token_list_has(upgrade->value, WEIR_SPAN("websocket")))
        return true;
    x->is_upgrading = weir_back_opens_websockets(x);
    return x->is_upgrading;
}

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    static const weir_relay_events_t events = {on_response, on_end};

    weir_journal_t *journal = &x->journal;
    memory_t *relay = memory;
    const weir_fault_t *fault;
    weir_backend_head_t head;
    weir_arena_t arena; /* of the head, which is gone from here when it is on its way: a backend may be silent for long */

    if (!settle_upgrade(x))
        return weir_walk_refuse(x, &weir_fault_backend_cannot_upgrade);
    if (x->target.protocol == WEIR_FASTCGI && x->wants_continue)
        on_continue(x); /* the router has left it to an application that has no word for it */
    weir_arena_init(&arena);
    fault = weir_backend_head(x, &arena, &head);
    if (fault != NULL) {
        weir_arena_finish(&arena);
        return weir_walk_refuse(x, fault);
    }
    *relay = (memory_t){.x = x};
    set_try_timer(x, relay);
    relay_limits_start(&relay->limits, x, on_over);
    x->on_cut = on_cut;
    journal->relay_at_us = weir_loop_now_us(x->loop);
    journal->head_sent_at_us = journal->request_sent_at_us = journal->first_byte_at_us = journal->last_byte_at_us = 0;
    weir_relay_start(x, &head, x->request.framing, &events);
    weir_arena_finish(&arena);
    return weir_walk_wait(x);
}

const weir_stage_t weir_stage_relay = {
    WEIR_STAGE("relay", 70),
    .memory_size = sizeof(memory_t),
    .enter = enter,
    .cancel = cancel,
};
