/* SPDX-License-Identifier: MIT */
/** Who gets a stream of which connection (the picture is in back_http2.h). */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/wire/back/back_http2_private.h"

/** An address and what is spoken with it. Lives as long as anything is there. */
struct weir_http2_place {
    weir_list_t link;        /* in its bucket */
    weir_list_t connections; /* that may be shared, the newest first */
    size_t connection_count;
    size_t opening_count; /* connections that will be shared, from the turn to SETTINGS */
    weir_list_t queue;    /* of weir_http2_wait_t */
    size_t users;         /* connections and waits that point here, and functions that need it */
    weir_protocol_t protocol;
    weir_back_tls_t tls; /* that of all its connections */
    socklen_t address_len;
    weir_address_t address;
};
typedef struct weir_http2_place place_t;

struct weir_http2_pool {
    weir_list_t buckets[WEIR_POOL_BUCKETS];
    weir_list_t connections; /* all of them */
};

struct weir_http2_pool *weir_http2_pool_create(weir_loop_t *loop)
{
    struct weir_http2_pool *pool = calloc(1, sizeof(*pool));
    WEIR_MUST(pool != NULL);
    weir_list_init(&pool->connections);
    for (size_t i = 0; i < WEIR_POOL_BUCKETS; i++)
        weir_list_init(&pool->buckets[i]);
    return pool;
}

void weir_http2_pool_destroy(struct weir_http2_pool **pool)
{
    struct weir_http2_pool *gone = *pool;
    while (!weir_list_is_empty(&gone->connections))
        weir_http2_end(WEIR_AROUND(gone->connections.next, weir_http2_t, in_pool), NULL);
    free(gone);
    *pool = NULL;
}

/* ---- places ---- */

static place_t *place_of(struct weir_http2_pool *pool, const weir_target_t *target)
{
    weir_list_t *bucket = &pool->buckets[weir_back_pool_bucket(&target->address.any, target->address_len)];
    for (weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        place_t *place = WEIR_AROUND(node, place_t, link);
        if (place->protocol == target->protocol && place->address_len == target->address_len &&
            memcmp(&place->address, &target->address, target->address_len) == 0 &&
            weir_back_tls_fits(&place->tls, target->tls, weir_back_tls_name(target)))
            return place;
    }
    place_t *place = calloc(1, sizeof(*place));
    WEIR_MUST(place != NULL);
    weir_list_init(&place->connections);
    weir_list_init(&place->queue);
    place->protocol = target->protocol;
    weir_back_tls_init(&place->tls, target);
    place->address_len = target->address_len;
    memcpy(&place->address, &target->address, target->address_len);
    weir_list_append(bucket, &place->link);
    return place;
}

static void leave_place(place_t *place)
{
    if (--place->users > 0)
        return;
    weir_list_remove(&place->link);
    weir_back_tls_finish(&place->tls);
    free(place);
}

/* ---- waits ---- */

static void enter_state(weir_http2_wait_t *wait, weir_http2_state_t state)
{
    wait->state = state;
    if (state == WEIR_HTTP2_QUEUED)
        weir_list_append(&wait->place->queue, &wait->link);
}

/** It waits for nothing any more; the place may be gone. */
static void forget(weir_http2_wait_t *wait)
{
    place_t *place = wait->place;
    weir_list_remove(&wait->link);
    wait->state = WEIR_HTTP2_NOWHERE;
    wait->place = NULL;
    wait->http2 = NULL;
    leave_place(place);
}

static void give(weir_http2_wait_t *wait, weir_http2_t *http2)
{
    weir_back_t *back = weir_http2_stream_create(http2);
    forget(wait);
    wait->on_stream(wait, back);
}

static weir_http2_t *find_room(const place_t *place)
{
    for (weir_list_t *node = place->connections.next; node != &place->connections; node = node->next) {
        weir_http2_t *http2 = WEIR_AROUND(node, weir_http2_t, link);
        if (weir_http2_has_room(http2))
            return http2;
    }
    return NULL;
}

static void take_turn(weir_http2_wait_t *wait)
{
    weir_list_remove(&wait->link);
    enter_state(wait, WEIR_HTTP2_DIALLING);
    wait->had_turn = true;
    if (wait->use != WEIR_HTTP2_ALONE)
        wait->place->opening_count++;
    wait->on_turn(wait);
}

static bool may_open(const place_t *place)
{
    return place->opening_count == 0 && place->connection_count < WEIR_HTTP2_CONNECTIONS_MAX;
}

/** Whose own connection had no stream for it waits for others' as long as there are any, instead of opening one after the other. */
static bool may_take_turn(const place_t *place, const weir_http2_wait_t *wait)
{
    return may_open(place) && (!wait->had_turn || place->connection_count == 0);
}

/** Serves the queue as far as there are streams; opens one more connection for the rest. */
static void serve_queue(place_t *place)
{
    place->users++;
    while (!weir_list_is_empty(&place->queue)) {
        weir_http2_wait_t *first = WEIR_AROUND(place->queue.next, weir_http2_wait_t, link);
        weir_http2_t *http2 = find_room(place);
        if (http2 != NULL)
            give(first, http2);
        else if (may_take_turn(place, first))
            take_turn(first);
        else
            break;
    }
    leave_place(place);
}

void weir_http2_ask(weir_loop_t *loop, const weir_target_t *target, weir_http2_use_t use, weir_http2_wait_t *wait)
{
    WEIR_MUST(wait->state == WEIR_HTTP2_NOWHERE);
    weir_list_init(&wait->link);
    wait->use = use;
    wait->had_turn = false;
    wait->place = place_of(loop->back_http2, target);
    wait->place->users++;
    weir_http2_t *http2 = use == WEIR_HTTP2_SHARED ? find_room(wait->place) : NULL;
    if (http2 != NULL)
        give(wait, http2);
    else if (use != WEIR_HTTP2_SHARED || may_open(wait->place))
        take_turn(wait);
    else
        enter_state(wait, WEIR_HTTP2_QUEUED);
}

bool weir_http2_is_queued(const weir_http2_wait_t *wait)
{
    return wait->state == WEIR_HTTP2_QUEUED && wait->place->connection_count > 0;
}

/** The turn of `wait` has come to nothing. */
static void return_turn(place_t *place, weir_http2_use_t use)
{
    if (use != WEIR_HTTP2_ALONE)
        place->opening_count--;
}

/** Those who hoped for the connection that has failed; with others there, its failure says nothing about them. */
static void fail_queue(place_t *place, const weir_fault_t *fault)
{
    while (!weir_list_is_empty(&place->queue) && place->connection_count == 0 && place->opening_count == 0) {
        weir_http2_wait_t *first = WEIR_AROUND(place->queue.next, weir_http2_wait_t, link);
        forget(first);
        first->on_fault(first, fault);
    }
}

/** A connection that goes without having had a stream for anybody: the next one would do no better. */
static void disappoint(const weir_http2_t *http2, const weir_fault_t *fault)
{
    if (!http2->is_used && !http2->is_alone)
        fail_queue(http2->place, fault != NULL ? fault : &weir_fault_backend_busy);
}

void weir_http2_fail(weir_http2_wait_t *wait, const weir_fault_t *fault)
{
    place_t *place = wait->place;
    if (wait->state == WEIR_HTTP2_NOWHERE)
        return;
    WEIR_MUST(wait->state == WEIR_HTTP2_DIALLING);
    place->users++;
    return_turn(place, wait->use);
    bool is_shared = wait->use != WEIR_HTTP2_ALONE;
    forget(wait);
    if (is_shared)
        fail_queue(place, fault);
    leave_place(place);
}

void weir_http2_cancel(weir_http2_wait_t *wait)
{
    place_t *place = wait->place;
    weir_http2_t *http2 = wait->http2;
    weir_http2_state_t state = wait->state;
    if (state == WEIR_HTTP2_NOWHERE)
        return;
    place->users++;
    if (state == WEIR_HTTP2_DIALLING)
        return_turn(place, wait->use);
    forget(wait);
    if (http2 != NULL) {
        http2->greeter = NULL; /* it goes on: somebody else will be glad of it */
        if (http2->is_alone)
            weir_http2_end(http2, NULL);
    }
    if (state == WEIR_HTTP2_DIALLING)
        serve_queue(place);
    leave_place(place);
}

/* ---- connections ---- */

void weir_http2_open(weir_http2_wait_t *wait, weir_sock_t *sock, const weir_plan_t *plan)
{
    WEIR_MUST(wait->state == WEIR_HTTP2_DIALLING);
    weir_loop_t *loop = sock->loop;
    weir_http2_t *http2 = weir_http2_create(loop, sock, plan);
    http2->place = wait->place;
    http2->place->users++;
    http2->is_alone = wait->use == WEIR_HTTP2_ALONE;
    http2->greeter = wait;
    weir_list_append(&loop->back_http2->connections, &http2->in_pool);
    wait->http2 = http2;
    enter_state(wait, WEIR_HTTP2_GREETING);
}

/** One more to share. One too many (each request may ask for a new one) makes the oldest go. */
static void list_connection(weir_http2_t *http2)
{
    place_t *place = http2->place;
    return_turn(place, WEIR_HTTP2_SHARED);
    weir_list_prepend(&place->connections, &http2->link);
    place->connection_count++;
    if (place->connection_count > WEIR_HTTP2_CONNECTIONS_MAX)
        weir_http2_retire(WEIR_AROUND(place->connections.prev, weir_http2_t, link));
}

/** A connection that nobody else may use; or that the backend has opened with GOAWAY, as it will the next one. */
static void greet_once(weir_http2_t *http2, weir_http2_wait_t *greeter)
{
    bool was_draining = http2->is_draining;
    const weir_fault_t *fault = was_draining ? &weir_fault_backend_goaway : &weir_fault_backend_busy;
    if (greeter != NULL && weir_http2_has_room(http2)) {
        give(greeter, http2);
    } else if (greeter != NULL) {
        forget(greeter);
        greeter->on_fault(greeter, fault);
    }
    weir_http2_retire(http2);
    if (was_draining)
        fail_queue(http2->place, fault);
}

void weir_http2_on_ready(weir_http2_t *http2)
{
    place_t *place = http2->place;
    weir_http2_wait_t *greeter = http2->greeter;
    place->users++;
    if (!http2->is_alone)
        list_connection(http2);
    http2->greeter = NULL;
    if (http2->is_draining || http2->is_alone) {
        greet_once(http2, greeter);
    } else if (greeter != NULL && weir_http2_has_room(http2)) {
        give(greeter, http2);
    } else if (greeter != NULL) { /* not one stream is allowed: it may be, later */
        greeter->http2 = NULL;
        enter_state(greeter, WEIR_HTTP2_QUEUED);
    }
    serve_queue(place);
    leave_place(place);
}

void weir_http2_on_room(weir_http2_t *http2)
{
    if (http2->is_draining)
        disappoint(http2, NULL);
    serve_queue(http2->place);
}

static void unlist(weir_http2_t *http2)
{
    if (weir_list_is_empty(&http2->link))
        return;
    weir_list_remove(&http2->link);
    http2->place->connection_count--;
}

void weir_http2_retire(weir_http2_t *http2)
{
    if (http2->is_draining)
        return;
    http2->is_draining = true;
    unlist(http2);
    weir_http2_post_flush(http2);
}

void weir_http2_on_end(weir_http2_t *http2, const weir_fault_t *fault)
{
    place_t *place = http2->place;
    weir_http2_wait_t *greeter = http2->greeter;
    unlist(http2);
    weir_list_remove(&http2->in_pool);
    http2->greeter = NULL;
    if (!http2->is_ready && !http2->is_alone)
        return_turn(place, WEIR_HTTP2_SHARED);
    if (greeter != NULL) {
        forget(greeter);
        greeter->on_fault(greeter, fault);
    }
    disappoint(http2, fault);
    http2->place = NULL;
    serve_queue(place);
    leave_place(place);
}
