/* SPDX-License-Identifier: MIT */
/* Who gets a stream of which connection (the picture is in back_http2.h). */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/wire/back/back_http2_handed.h"
#include "lib/wire/back/back_http2_private.h"
#include "lib/wire/back/back_worker.h"

/* An address and what is spoken with it. Lives as long as anything is there. */
struct back_http2_place {
    weir_list_t link;        /* in its bucket */
    weir_list_t connections; /* that may be shared, the newest first */
    size_t connection_count;
    size_t opening_count; /* connections that will be shared, from the turn to SETTINGS */
    weir_list_t queue;    /* of back_http2_wait_t */
    size_t users;         /* connections and waits that point here, and functions that need it */
    weir_protocol_t protocol;
    weir_worker_t *worker; /* held: it is one of those that dial us; NULL: we dial */
    weir_back_tls_t tls;   /* that of all its connections */
    socklen_t address_len;
    weir_address_t address;
};
typedef struct back_http2_place place_t;

struct back_http2_pool {
    weir_list_t buckets[WEIR_POOL_BUCKETS];
    weir_list_t connections; /* all of them */
};

struct back_http2_pool *back_http2_pool_create(weir_loop_t *loop)
{
    struct back_http2_pool *pool = calloc(1, sizeof(*pool));

    WEIR_MUST(pool != NULL);
    weir_list_init(&pool->connections);
    for (size_t i = 0; i < WEIR_POOL_BUCKETS; i++)
        weir_list_init(&pool->buckets[i]);
    return pool;
}

void back_http2_pool_destroy(struct back_http2_pool **pool)
{
    struct back_http2_pool *gone = *pool;

    while (!weir_list_is_empty(&gone->connections)) {
        back_http2_t *http2 = WEIR_AROUND(gone->connections.next, back_http2_t, in_pool);
        if (http2->worker != NULL)
            back_http2_say_goodbye(http2); /* it dials again the sooner */
        back_http2_end(http2, NULL);
    }
    free(gone);
    *pool = NULL;
}

/* ---- places ---- */

static place_t *place_of(struct back_http2_pool *pool, const weir_target_t *target)
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
    if (target->kind == WEIR_TARGET_WORKER)
        place->worker = weir_worker_hold(weir_worker_number(&target->address.any, target->address_len));
    weir_list_append(bucket, &place->link);
    return place;
}

static void leave_place(place_t *place)
{
    if (--place->users > 0)
        return;
    weir_list_remove(&place->link);
    weir_worker_release(place->worker);
    weir_back_tls_finish(&place->tls);
    free(place);
}

/* ---- waits ---- */

static void enter_state(back_http2_wait_t *wait, back_http2_state_t state)
{
    wait->state = state;
    if (state == BACK_HTTP2_QUEUED)
        weir_list_append(&wait->place->queue, &wait->link);
}

/* It waits for nothing any more; the place may be gone. */
static void forget(back_http2_wait_t *wait)
{
    place_t *place = wait->place;

    weir_list_remove(&wait->link);
    wait->state = BACK_HTTP2_NOWHERE;
    wait->place = NULL;
    wait->http2 = NULL;
    leave_place(place);
}

static void give(back_http2_wait_t *wait, back_http2_t *http2)
{
    weir_back_t *back = back_http2_stream_create(http2);

    forget(wait);
    wait->on_stream(wait, back);
}

static back_http2_t *find_room(const place_t *place)
{
    for (weir_list_t *node = place->connections.next; node != &place->connections; node = node->next) {
        back_http2_t *http2 = WEIR_AROUND(node, back_http2_t, link);
        if (back_http2_has_room(http2))
            return http2;
    }
    return NULL;
}

static void take_turn(back_http2_wait_t *wait)
{
    weir_list_remove(&wait->link);
    enter_state(wait, BACK_HTTP2_DIALLING);
    wait->had_turn = true;
    if (wait->use != BACK_HTTP2_ALONE)
        wait->place->opening_count++;
    wait->on_turn(wait);
}

/* It cannot be dialled. */
static bool is_of_worker(const place_t *place)
{
    return place->address.any.sa_family == WEIR_WORKER_ADDRESS_FAMILY;
}

static bool may_open(const place_t *place)
{
    return !is_of_worker(place) && place->opening_count == 0 && place->connection_count < BACK_HTTP2_CONNECTIONS_MAX;
}

/*
 * Whose own connection had no stream for it waits for others' as long as there are any, instead of opening one after the other.
 */
static bool may_take_turn(const place_t *place, const back_http2_wait_t *wait)
{
    return may_open(place) && (!wait->had_turn || place->connection_count == 0);
}

/* Serves the queue as far as there are streams; opens one more connection for the rest. */
static void serve_queue(place_t *place)
{
    place->users++;
    while (!weir_list_is_empty(&place->queue)) {
        back_http2_wait_t *first = WEIR_AROUND(place->queue.next, back_http2_wait_t, link);
        back_http2_t *http2 = find_room(place);
        if (http2 != NULL)
            give(first, http2);
        else if (may_take_turn(place, first))
            take_turn(first);
        else
            break;
    }
    leave_place(place);
}

/*
 * A worker's connections lie where they came in: one of this loop's, if there is room, else a stream by way of another loop.
 * What that has handed here waits here.
 */
static void ask_worker(weir_loop_t *loop, back_http2_wait_t *wait)
{
    place_t *place = wait->place;
    bool has_any = false;
    back_http2_t *here = wait->is_handed || !back_worker_is_elsewhere() ? find_room(place) : NULL;

    if (here != NULL) {
        give(wait, here);
        return;
    }
    /* There is none here. What is known of those elsewhere may be a letter old: they have a queue of their own. */
    const weir_loop_t *but_for = back_worker_is_elsewhere() ? NULL : loop;
    weir_loop_t *there = place->worker == NULL || wait->is_handed ? NULL : weir_worker_loop(place->worker, but_for, &has_any);
    if (there != NULL) {
        weir_back_t *back = back_http2_hand_over(loop, there, place->worker);
        forget(wait);
        wait->on_stream(wait, back);
    } else if (place->connection_count > 0) {
        enter_state(wait, BACK_HTTP2_QUEUED);
    } else {
        forget(wait);
        wait->on_fault(wait, &weir_fault_worker_gone);
    }
}

void back_http2_ask(weir_loop_t *loop, const weir_target_t *target, back_http2_use_t use, back_http2_wait_t *wait)
{
    WEIR_MUST(wait->state == BACK_HTTP2_NOWHERE);
    weir_list_init(&wait->link);
    wait->use = use;
    wait->had_turn = false;
    wait->place = place_of(loop->back_http2, target);
    wait->place->users++;
    if (is_of_worker(wait->place)) {
        ask_worker(loop, wait);
        return;
    }
    back_http2_t *http2 = use == BACK_HTTP2_SHARED ? find_room(wait->place) : NULL;
    if (http2 != NULL)
        give(wait, http2);
    else if (use != BACK_HTTP2_SHARED || may_open(wait->place))
        take_turn(wait);
    else
        enter_state(wait, BACK_HTTP2_QUEUED);
}

bool back_http2_is_queued(const back_http2_wait_t *wait)
{
    return wait->state == BACK_HTTP2_QUEUED && wait->place->connection_count > 0;
}

/* The turn of `wait` has come to nothing. */
static void return_turn(place_t *place, back_http2_use_t use)
{
    if (use != BACK_HTTP2_ALONE)
        place->opening_count--;
}

/* Those who hoped for the connection that has failed; with others there, its failure says nothing about them. */
static void fail_queue(place_t *place, const weir_fault_t *fault)
{
    while (!weir_list_is_empty(&place->queue) && place->connection_count == 0 && place->opening_count == 0) {
        back_http2_wait_t *first = WEIR_AROUND(place->queue.next, back_http2_wait_t, link);
        forget(first);
        first->on_fault(first, fault);
    }
}

/* A connection that goes without having had a stream for anybody: the next one would do no better. */
static void fail_queue_if_unused(const back_http2_t *http2, const weir_fault_t *fault)
{
    if (http2->worker != NULL) { /* who cannot be dialled has nothing to hope for */
        fail_queue(http2->place, &weir_fault_worker_gone);
        return;
    }
    if (!http2->is_used && !http2->is_alone)
        fail_queue(http2->place, fault != NULL ? fault : &weir_fault_backend_busy);
}

void back_http2_fail(back_http2_wait_t *wait, const weir_fault_t *fault)
{
    place_t *place = wait->place;

    if (wait->state == BACK_HTTP2_NOWHERE)
        return;
    WEIR_MUST(wait->state == BACK_HTTP2_DIALLING);
    place->users++;
    return_turn(place, wait->use);
    bool is_shared = wait->use != BACK_HTTP2_ALONE;
    forget(wait);
    if (is_shared)
        fail_queue(place, fault);
    serve_queue(place);
    leave_place(place);
}

void back_http2_cancel(back_http2_wait_t *wait)
{
    place_t *place = wait->place;
    back_http2_t *http2 = wait->http2;
    back_http2_state_t state = wait->state;

    if (state == BACK_HTTP2_NOWHERE)
        return;
    place->users++;
    if (state == BACK_HTTP2_DIALLING)
        return_turn(place, wait->use);
    forget(wait);
    if (http2 != NULL) {
        http2->opener = NULL; /* it goes on: somebody else will be glad of it */
        if (http2->is_alone)
            back_http2_end(http2, NULL);
    }
    if (state == BACK_HTTP2_DIALLING)
        serve_queue(place);
    leave_place(place);
}

/* ---- connections ---- */

void back_http2_open(back_http2_wait_t *wait, weir_sock_t *sock, const weir_plan_t *plan)
{
    WEIR_MUST(wait->state == BACK_HTTP2_DIALLING);
    weir_loop_t *loop = sock->loop;
    const back_http2_manner_t manner = {.ping_ms = plan->backend_ping_ms,
                                        .idle_ms = plan->backend_idle_timeout_ms,
                                        .stream_window = BACK_HTTP2_STREAM_BYTES,
                                        .connection_window = BACK_HTTP2_WINDOW_BYTES};
    back_http2_t *http2 = back_http2_create(loop, sock, &manner);
    http2->place = wait->place;
    http2->place->users++;
    http2->is_alone = wait->use == BACK_HTTP2_ALONE;
    http2->opener = wait;
    weir_list_append(&loop->back_http2->connections, &http2->in_pool);
    wait->http2 = http2;
    enter_state(wait, BACK_HTTP2_OPENING);
}

void back_http2_join(back_http2_t *http2, uint64_t worker_number)
{
    weir_target_t target = {.kind = WEIR_TARGET_WORKER, .protocol = WEIR_HTTP2};

    target.address_len = weir_worker_address(worker_number, &target.address);
    http2->place = place_of(http2->loop->back_http2, &target);
    http2->place->users++;
    weir_list_append(&http2->loop->back_http2->connections, &http2->in_pool);
}

/* One more to share. One too many (each request may ask for a new one) makes the oldest go. */
static void list_connection(back_http2_t *http2)
{
    place_t *place = http2->place;

    weir_list_prepend(&place->connections, &http2->link);
    place->connection_count++;
    if (place->connection_count > BACK_HTTP2_CONNECTIONS_MAX && http2->worker == NULL)
        back_http2_retire(WEIR_AROUND(place->connections.prev, back_http2_t, link));
}

/* A connection that nobody else may use; or that the backend has opened with GOAWAY, as it will the next one. */
static void settle_unshared(back_http2_t *http2, back_http2_wait_t *opener)
{
    bool was_draining = http2->is_draining;
    const weir_fault_t *fault = was_draining ? &weir_fault_backend_goaway : &weir_fault_backend_busy;

    if (opener != NULL && back_http2_has_room(http2)) {
        give(opener, http2);
    } else if (opener != NULL) {
        forget(opener);
        opener->on_fault(opener, fault);
    }
    back_http2_retire(http2);
    if (was_draining)
        fail_queue(http2->place, fault);
}

void back_http2_on_ready(back_http2_t *http2)
{
    place_t *place = http2->place;
    back_http2_wait_t *opener = http2->opener;

    place->users++;
    if (http2->worker == NULL)
        return_turn(place, http2->is_alone ? BACK_HTTP2_ALONE : BACK_HTTP2_SHARED);
    if (!http2->is_alone && !http2->is_draining)
        list_connection(http2);
    http2->opener = NULL;
    if (http2->is_draining || http2->is_alone) {
        settle_unshared(http2, opener);
    } else if (opener != NULL && back_http2_has_room(http2)) {
        give(opener, http2);
    } else if (opener != NULL) { /* not one stream is allowed: it may be, later */
        opener->http2 = NULL;
        enter_state(opener, BACK_HTTP2_QUEUED);
    }
    serve_queue(place);
    leave_place(place);
}

void back_http2_on_room(back_http2_t *http2)
{
    if (http2->is_draining)
        fail_queue_if_unused(http2, NULL);
    serve_queue(http2->place);
}

static void unlist(back_http2_t *http2)
{
    if (weir_list_is_empty(&http2->link))
        return;
    weir_list_remove(&http2->link);
    http2->place->connection_count--;
}

void back_http2_retire(back_http2_t *http2)
{
    if (http2->is_draining)
        return;
    http2->is_draining = true;
    unlist(http2);
    back_http2_post_flush(http2);
}

void back_http2_on_end(back_http2_t *http2, const weir_fault_t *fault)
{
    place_t *place = http2->place;
    back_http2_wait_t *opener = http2->opener;

    unlist(http2);
    weir_list_remove(&http2->in_pool);
    http2->opener = NULL;
    if (!http2->is_ready && !http2->is_alone && http2->worker == NULL)
        return_turn(place, BACK_HTTP2_SHARED);
    if (opener != NULL) {
        forget(opener);
        opener->on_fault(opener, fault);
    }
    fail_queue_if_unused(http2, fault);
    http2->place = NULL;
    serve_queue(place);
    leave_place(place);
}
