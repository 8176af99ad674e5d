/* SPDX-License-Identifier: MIT */
/* Who is served, when a slot is free. */
#include "dice.h"
#include "queue_inside.h"

enum {
    WOKEN_MANY = 10,    /* beyond that many they are let go by and by              */
    WINDOW_TIMES = 100, /* most of them, for each member: backlogs have 128 places  */
    PASSED_MOST = 16,   /* of a client's, who are particular, before the next client's turn */
    AGAIN_US = 500000,
    AGAIN_DOUBLES = 4,
};

/* Others choose for a request that waits: its own dice are its thread's. */
uint64_t kit_queue_roll(void *of)
{
    return kit_throw(&((struct kit_queue *)of)->dice);
}

static uint64_t in_flight_of(const weir_set_t *set)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    uint64_t count = 0;

    for (size_t i = 0; i < kit_view_count(view); i++)
        count += kit_in_flight(atomic_load_explicit(&kit_view_member(view, i)->load, memory_order_relaxed));
    return count;
}

bool kit_queue_is_window_full(const weir_set_t *set)
{
    const uint32_t window = atomic_load_explicit(&set->window, memory_order_relaxed);

    return window != 0 && in_flight_of(set) >= window;
}

/* When one that is held tries again where it could not connect: ten tries are enough for a minute. */
static uint64_t again_us(const kit_lease_t *lease)
{
    return (uint64_t)AGAIN_US << (lease->picks < AGAIN_DOUBLES ? lease->picks : AGAIN_DOUBLES);
}

static bool serve(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter, uint64_t now_us)
{
    kit_lease_t *lease = waiter->lease;
    kit_why_none_t why;

    if (waiter->cause == KIT_HOLD && kit_since(now_us, waiter->since_us) >= again_us(lease))
        lease->tried_count = 0;
    weir_member_t *member = kit_lease_take(lease, &waiter->asking, kit_queue_roll, queue, now_us, &why);

    if (member == NULL)
        return false;
    lease->member = member;
    kit_queue_take_out(set, queue, waiter, now_us);
    return true;
}

typedef enum served { SERVED, NOT_SERVED, ALL_FULL } served_t;

/* One of those who may have any slot, but become tunnels: of these there may be enough where requests are not. */
static bool wants_a_tunnel(weir_set_t *set, const kit_waiter_t *waiter)
{
    const kit_lease_t *lease = waiter->lease;

    return waiter->asking.is_upgrade && lease->may == NULL && lease->pinned == NULL && waiter->cause != KIT_HOLD &&
           atomic_load_explicit(&set->settings, memory_order_acquire)->max_tunnels > 0;
}

/* Behind one who is, others may be served: what it waits for need not be what they want. */
static bool is_particular(const kit_waiter_t *waiter)
{
    return waiter->lease->may != NULL || waiter->lease->pinned != NULL || waiter->cause == KIT_HOLD;
}

/*
 * Whether one who comes behind them is looked at, as serve_bucket() does when nobody of them can be served. `leaves` makes room
 * for it.
 */
static bool lets_pass(weir_set_t *set, kit_bucket_t *bucket, const kit_link_t *leaves, bool is_for_tunnel)
{
    int passed = 0;

    for (kit_link_t *at = bucket->waiters.after; at != &bucket->waiters; at = at->after) {
        const kit_waiter_t *waiter = kit_waiter_of_bucket(at);
        if (leaves != NULL && at == leaves)
            continue;
        if (!is_particular(waiter) && (is_for_tunnel || !wants_a_tunnel(set, waiter)))
            return false;
        if (++passed == PASSED_MOST)
            return false;
    }
    return true;
}

bool kit_queue_lets_pass(weir_set_t *set, const kit_settings_t *settings, const weir_request_t *request)
{
    struct kit_queue *queue = kit_queue(set);
    const uint8_t own = kit_queue_bucket(settings, request);
    bool may_pass = true;

    if (queue == NULL)
        return true;
    pthread_mutex_lock(&queue->lock);
    const kit_bucket_t *most = queue->count < settings->queue.length ? NULL : kit_queue_loser(queue, own);
    const kit_link_t *leaves = most == NULL ? NULL : most->waiters.before;
    for (unsigned at = queue->turn; may_pass; at = (at + 1) % KIT_BUCKETS) {
        may_pass = lets_pass(set, &queue->buckets[at], leaves, weir_request_wants_upgrade(request));
        if (at == own)
            break;
    }
    pthread_mutex_unlock(&queue->lock);
    return may_pass;
}

/*
 * The first of a client's who can be served. Behind those who are particular the next ones are asked, too; where one who is not
 * gets nothing, nobody does. Where one who wants a tunnel gets nothing, none of these does, and requests may.
 */
static served_t serve_bucket(weir_set_t *set, struct kit_queue *queue, kit_bucket_t *bucket, bool only_pinned, uint64_t now_us)
{
    kit_link_t *at = bucket->waiters.after;
    bool has_no_tunnel = false;

    for (int passed = 0; passed < PASSED_MOST && at != &bucket->waiters;) {
        kit_waiter_t *waiter = kit_waiter_of_bucket(at);
        const bool is_for_tunnel = wants_a_tunnel(set, waiter);
        at = at->after;
        if (is_for_tunnel && has_no_tunnel)
            continue;
        passed++;
        if (only_pinned && waiter->lease->pinned == NULL)
            continue;
        const bool has_own_wishes = is_particular(waiter);
        if (!serve(set, queue, waiter, now_us)) {
            if (!has_own_wishes && !is_for_tunnel)
                return ALL_FULL;
            has_no_tunnel = has_no_tunnel || is_for_tunnel;
            continue;
        }
        queue->served++;
        queue->served_busy += waiter->cause == KIT_BUSY;
        waiter->fault = NULL;
        kit_queue_append(queue, waiter);
        return SERVED;
    }
    return NOT_SERVED;
}

/* Behind a pause with a spread: as many as are due. */
static bool is_spread_out(const struct kit_queue *queue, uint64_t now_us)
{
    const uint64_t gone_us = kit_since(now_us, queue->spread_from_us);

    return queue->spread_us != 0 && gone_us < queue->spread_us &&
           queue->served - queue->spread_served >= 1 + queue->spread_count * gone_us / queue->spread_us;
}

void kit_queue_give_out(weir_set_t *set, struct kit_queue *queue, uint64_t now_us)
{
    const bool has_pins = atomic_load_explicit(&set->settings, memory_order_acquire)->affinity.is_on;
    unsigned cursor = queue->turn, passed = 0;
    bool only_pinned = false;

    if (kit_is_paused(set))
        return;
    while (queue->count > 0 && passed < KIT_BUCKETS && !kit_queue_is_window_full(set) && !is_spread_out(queue, now_us)) {
        served_t result = serve_bucket(set, queue, &queue->buckets[cursor], only_pinned, now_us);
        if (result == ALL_FULL && !has_pins)
            return;
        only_pinned = only_pinned || result == ALL_FULL;
        cursor = (cursor + 1) % KIT_BUCKETS;
        passed = result == NOT_SERVED ? passed + 1 : 0;
        if (result == SERVED && !only_pinned)
            queue->turn = cursor;
    }
}

void kit_queue_begin_pace(weir_set_t *set, struct kit_queue *queue)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    size_t members = kit_view_count(view);

    if (queue->is_paced || queue->count <= WOKEN_MANY || members == 0)
        return;
    queue->is_paced = true;
    atomic_store(&set->window, (uint32_t)(in_flight_of(set) + settings->release_window * members));
}

void kit_queue_pace(weir_set_t *set, bool is_success)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    uint32_t window = atomic_load(&set->window), members = (uint32_t)kit_view_count(view);
    uint32_t least = settings->release_window * members, next;

    do {
        if (window == 0)
            return;
        next = is_success ? window + 1 : window / 2;
        next = next < least ? least : next;
        next = next > window && next > WINDOW_TIMES * members ? window : next;
    } while (!atomic_compare_exchange_weak(&set->window, &window, next));
}

void kit_queue_kick(weir_set_t *set, uint64_t now_us, bool is_checkin)
{
    struct kit_queue *queue = kit_queue(set);

    if (queue == NULL)
        return;
    pthread_mutex_lock(&queue->lock);
    if (!is_checkin)
        kit_queue_begin_pace(set, queue);
    kit_queue_give_out(set, queue, now_us);
    kit_queue_unlock(queue);
}
