/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <sys/random.h>

#include "alloc.h"
#include "pin.h"

enum {
    BUCKETS = 64,
    STANDING_TIMES = 10, /* the deadline is so much shorter once the queue stands    */
    WOKEN_MANY = 10,     /* beyond that many they are let go by and by              */
    WINDOW_TIMES = 100,  /* most of them, for each member: backlogs have 128 places  */
    PASSED_MOST = 16,    /* of a client's, who are particular, before the next client's turn */
    AGAIN_US = 500000,
    AGAIN_DOUBLES = 4,
    FIRST_CHECK_MS = 500, /* until a first check begins */
    BACKSTOP_MS = 1000,   /* a hold ends by a tick, which knows the reason; or by this */
    MS_US = 1000,
};

/* A list that a waiter is in, linked through one of its links. */
typedef struct link {
    struct link *before, *after;
} kit_link_t;

typedef struct kit_waiter {
    kit_link_t in_bucket, in_age;
    kit_lease_t *lease;
    weir_q_checkout_t *q;
    uint64_t since_us;
    kit_asking_t asking;
    uint8_t bucket;
    bool is_hold;
    const weir_fault_t *fault;   /* when it has left without a member */
    struct kit_waiter *next_out; /* among those that are to be answered */
} kit_waiter_t;

typedef struct bucket {
    kit_link_t waiters;
    uint32_t count;
} bucket_t;

struct kit_queue {
    pthread_mutex_t lock;
    bucket_t buckets[BUCKETS];
    kit_link_t by_age; /* oldest first */
    uint32_t count;
    unsigned turn;        /* whose turn it is                 */
    uint64_t standing_us; /* not empty since                  */
    uint64_t dice;
    uint64_t served, served_at_tick; /* how many ever; at the last tick         */
    uint64_t served_busy;            /* of these, those who waited for a slot   */
    bool is_paced;
};

static _Atomic uint64_t rescues;
static uint64_t client_key[2]; /* of the process: nobody can choose a neighbour's bucket */
static pthread_once_t has_key = PTHREAD_ONCE_INIT;

/* ---- lists ---- */

static void list_init(kit_link_t *list)
{
    list->before = list->after = list;
}

static void list_append(kit_link_t *list, kit_link_t *link)
{
    link->before = list->before;
    link->after = list;
    list->before->after = link;
    list->before = link;
}

static void list_remove(kit_link_t *link)
{
    link->before->after = link->after;
    link->after->before = link->before;
}

static kit_waiter_t *of_bucket(kit_link_t *link)
{
    return (kit_waiter_t *)(void *)((char *)link - offsetof(kit_waiter_t, in_bucket));
}

static kit_waiter_t *of_age(kit_link_t *link)
{
    return (kit_waiter_t *)(void *)((char *)link - offsetof(kit_waiter_t, in_age));
}

/* ---- life ---- */

static struct kit_queue *create(void)
{
    struct kit_queue *queue = kit_alloc(1, sizeof(*queue));

    if (pthread_mutex_init(&queue->lock, NULL) != 0)
        abort();
    list_init(&queue->by_age);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&queue->buckets[i].waiters);
    (void)!getrandom(&queue->dice, sizeof(queue->dice), 0);
    return queue;
}

void kit_queue_free(struct kit_queue *queue)
{
    if (queue == NULL)
        return;
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static struct kit_queue *queue_of(weir_set_t *set)
{
    struct kit_queue *queue = atomic_load_explicit(&set->queue, memory_order_acquire), *made;

    if (queue != NULL)
        return queue;
    made = create();
    if (atomic_compare_exchange_strong(&set->queue, &queue, made))
        return made;
    kit_queue_free(made);
    return queue;
}

uint32_t kit_queue_count(const weir_set_t *set)
{
    return atomic_load_explicit(&set->waiting, memory_order_seq_cst);
}

uint64_t kit_queue_rescues(void)
{
    return atomic_load(&rescues);
}

/* ---- in and out, under the lock ---- */

static void put(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter)
{
    bucket_t *bucket = &queue->buckets[waiter->bucket];

    list_append(&bucket->waiters, &waiter->in_bucket);
    list_append(&queue->by_age, &waiter->in_age);
    bucket->count++;
    if (queue->count++ == 0)
        queue->standing_us = waiter->since_us;
    waiter->lease->waiter = waiter;
    atomic_fetch_add_explicit(&set->waiting, 1, memory_order_seq_cst);
}

static void take_out(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter, uint64_t now_us)
{
    list_remove(&waiter->in_bucket);
    list_remove(&waiter->in_age);
    queue->buckets[waiter->bucket].count--;
    waiter->lease->waiter = NULL;
    waiter->lease->waited_ms += (uint32_t)(kit_since(now_us, waiter->since_us) / MS_US);
    waiter->lease->is_held = waiter->is_hold;
    atomic_fetch_sub_explicit(&set->waiting, 1, memory_order_seq_cst);
    if (--queue->count > 0)
        return;
    queue->is_paced = false;
    atomic_store(&set->window, 0);
}

/* Answers and frees. Without the lock: the answer may have the request go on. */
static void send_out(kit_waiter_t *waiters)
{
    kit_waiter_t *next;

    for (; waiters != NULL; waiters = next) {
        next = waiters->next_out;
        if (waiters->fault != NULL)
            (void)weir_checkout_refuse(waiters->q, waiters->fault);
        else
            (void)weir_checkout_pick(waiters->q, (weir_service_t *)(void *)waiters->lease->member);
        free(waiters);
    }
}

/* ---- giving slots out ---- */

/* Others choose for a request that waits: its own dice are its thread's. SplitMix64. */
static uint64_t roll(void *of)
{
    struct kit_queue *queue = of;
    uint64_t mixed = queue->dice += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static uint64_t in_flight_of(weir_set_t *set)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    uint64_t count = 0;

    for (size_t i = 0; i < kit_view_count(view); i++)
        count += kit_in_flight(atomic_load_explicit(&kit_view_member(view, i)->load, memory_order_relaxed));
    return count;
}

static bool is_window_full(weir_set_t *set)
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

    if (waiter->is_hold && kit_since(now_us, waiter->since_us) >= again_us(lease))
        lease->tried_count = 0;
    weir_member_t *member = kit_lease_take(lease, &waiter->asking, roll, queue, now_us, &why);

    if (member == NULL)
        return false;
    lease->member = member;
    take_out(set, queue, waiter, now_us);
    return true;
}

/* They are answered in the order in which they were served. */
static void append(kit_waiter_t **out, kit_waiter_t *waiter)
{
    while (*out != NULL)
        out = &(*out)->next_out;
    waiter->next_out = NULL;
    *out = waiter;
}

typedef enum served { SERVED, NOT_SERVED, ALL_FULL } served_t;

/*
 * The first of a client's who can be served. Behind those who are particular the next ones are asked, too; where one who is not
 * gets nothing, nobody does.
 */
static served_t serve_bucket(weir_set_t *set, struct kit_queue *queue, bucket_t *bucket, uint64_t now_us, kit_waiter_t **out)
{
    kit_link_t *at = bucket->waiters.after;

    for (int i = 0; i < PASSED_MOST && at != &bucket->waiters; i++) {
        kit_waiter_t *waiter = of_bucket(at);
        at = at->after;
        const bool is_particular = waiter->lease->may != NULL || waiter->lease->pinned != NULL || waiter->is_hold;
        if (!serve(set, queue, waiter, now_us)) {
            if (!is_particular)
                return ALL_FULL;
            continue;
        }
        queue->served++;
        queue->served_busy += !waiter->is_hold;
        waiter->fault = NULL;
        append(out, waiter);
        return SERVED;
    }
    return NOT_SERVED;
}

/* In turn among clients; whose turn could not be used keeps it. Those who are served are put behind `*out`. */
static void give_out(weir_set_t *set, struct kit_queue *queue, uint64_t now_us, kit_waiter_t **out)
{
    unsigned cursor = queue->turn, passed = 0;

    while (queue->count > 0 && passed < BUCKETS && !is_window_full(set)) {
        served_t result = serve_bucket(set, queue, &queue->buckets[cursor], now_us, out);
        if (result == ALL_FULL)
            return;
        cursor = (cursor + 1) % BUCKETS;
        passed = result == SERVED ? 0 : passed + 1;
        if (result != SERVED)
            continue;
        queue->turn = cursor;
        while (*out != NULL)
            out = &(*out)->next_out;
    }
}

static void pace(weir_set_t *set, struct kit_queue *queue)
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
    struct kit_queue *queue = atomic_load_explicit(&set->queue, memory_order_acquire);
    kit_waiter_t *out = NULL;

    if (queue == NULL)
        return;
    pthread_mutex_lock(&queue->lock);
    if (!is_checkin)
        pace(set, queue);
    give_out(set, queue, now_us, &out);
    pthread_mutex_unlock(&queue->lock);
    send_out(out);
}

/* ---- waiting ---- */

static void make_client_key(void)
{
    (void)!getrandom(client_key, sizeof(client_key), 0);
}

/* Who is a client: its address, of IPv6 the network of 64 bits, or what a header says. */
static uint8_t bucket_of(const kit_settings_t *settings, const weir_request_t *request)
{
    weir_span_t who = weir_request_peer_ip(request);

    if (settings->queue.order == KIT_ORDER_FIFO)
        return 0;
    if (settings->queue.client_header != NULL) {
        who = weir_request_header(request, (weir_span_t){settings->queue.client_header, strlen(settings->queue.client_header)});
    } else if (who.len > 0 && memchr(who.base, ':', who.len) != NULL) {
        size_t colons = 0, end = 0;
        while (end < who.len && (colons += who.base[end] == ':') < 4)
            end++;
        who.len = end;
    }
    (void)pthread_once(&has_key, make_client_key);
    return (uint8_t)(weir_siphash(client_key, who) % BUCKETS);
}

static bucket_t *longest(struct kit_queue *queue)
{
    bucket_t *most = &queue->buckets[0];

    for (size_t i = 1; i < BUCKETS; i++)
        if (queue->buckets[i].count > most->count)
            most = &queue->buckets[i];
    return most;
}

/* The queue is full: the client that has most waiting loses its newest. True: that is the newcomer. */
static bool make_room(weir_set_t *set, struct kit_queue *queue, const kit_waiter_t *newcomer, kit_waiter_t **out)
{
    bucket_t *most = longest(queue);

    if (most->count == 0 || most == &queue->buckets[newcomer->bucket])
        return true;
    kit_waiter_t *loser = of_bucket(most->waiters.before);
    take_out(set, queue, loser, newcomer->since_us);
    loser->fault = &kit_fault_too_deep;
    loser->next_out = *out;
    *out = loser;
    return false;
}

static weir_answer_t answer_own(kit_lease_t *lease, kit_waiter_t *waiter, kit_waiter_t **out)
{
    while (*out != NULL && *out != waiter)
        out = &(*out)->next_out;
    *out = waiter->next_out;
    weir_answer_t answer = weir_checkout_pick(waiter->q, (weir_service_t *)(void *)lease->member);
    free(waiter);
    return answer;
}

static kit_waiter_t *create_waiter(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                                   weir_q_checkout_t *q, const kit_asking_t *asking, kit_cause_t cause)
{
    kit_waiter_t *waiter = kit_alloc(1, sizeof(*waiter));

    waiter->lease = lease;
    waiter->q = q;
    waiter->since_us = weir_now_us(request);
    waiter->asking = *asking;
    waiter->bucket = bucket_of(settings, request);
    waiter->is_hold = cause == KIT_HOLD;
    return waiter;
}

/* Without `hold` only first checks are waited for: a whole one. */
static uint32_t hold_ms(const kit_settings_t *settings)
{
    return settings->hold_ms > 0 ? settings->hold_ms : settings->health.timeout_ms + FIRST_CHECK_MS;
}

/* Until its deadline, or for a hold a little longer. */
static uint32_t time_left_ms(kit_lease_t *lease, const kit_settings_t *settings, kit_cause_t cause, uint64_t now_us)
{
    const uint64_t all_ms = cause == KIT_HOLD ? (uint64_t)hold_ms(settings) + BACKSTOP_MS : settings->queue.timeout_ms;

    if (lease->arrived_us == 0)
        lease->arrived_us = now_us;
    const uint64_t gone_ms = kit_since(now_us, lease->arrived_us) / MS_US;
    return gone_ms < all_ms ? (uint32_t)(all_ms - gone_ms) : 1;
}

/*
 * The promise is made before anybody else can know of the waiter: from then on its answer may come from any thread, and the
 * request may be over when this returns.
 */
weir_answer_t kit_queue_wait(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                             weir_q_checkout_t *q, const kit_asking_t *asking, kit_cause_t cause, kit_why_none_t why)
{
    weir_set_t *set = lease->set;
    struct kit_queue *queue = queue_of(set);
    kit_waiter_t *waiter = create_waiter(lease, settings, request, q, asking, cause), *out = NULL;
    const uint32_t wait_ms = time_left_ms(lease, settings, cause, waiter->since_us);
    weir_answer_t answer;

    if (cause == KIT_BUSY)
        lease->tried_count = 0; /* one that could not be connected to may be back by then */
    pthread_mutex_lock(&queue->lock);
    if (queue->count >= settings->queue.length && make_room(set, queue, waiter, &out)) {
        pthread_mutex_unlock(&queue->lock);
        free(waiter);
        return weir_checkout_refuse(q, &kit_fault_too_deep);
    }
    put(set, queue, waiter);
    atomic_thread_fence(memory_order_seq_cst); /* first we are seen to wait, then we look for a slot */
    if (kit_pin_leads_nowhere(lease))
        (void)kit_pin_let_go(lease, settings);
    if (cause == KIT_BUSY)
        give_out(set, queue, waiter->since_us, &out);
    if (lease->waiter == NULL)
        answer = answer_own(lease, waiter, &out);
    else
        answer = weir_later_until(q, wait_ms, kit_fault_of(cause == KIT_HOLD ? why : KIT_ALL_FULL));
    pthread_mutex_unlock(&queue->lock);
    send_out(out);
    return answer;
}

void kit_queue_unpin(weir_set_t *set, uint64_t now_us)
{
    struct kit_queue *queue = atomic_load_explicit(&set->queue, memory_order_acquire);
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    kit_waiter_t *out = NULL;
    kit_link_t *next;

    if (queue == NULL)
        return;
    pthread_mutex_lock(&queue->lock);
    for (kit_link_t *at = queue->by_age.after; at != &queue->by_age; at = next) {
        kit_waiter_t *waiter = of_age(at);
        next = at->after;
        if (!kit_pin_leads_nowhere(waiter->lease) || kit_pin_let_go(waiter->lease, settings))
            continue;
        waiter->lease->pinned = NULL;
        waiter->fault = &kit_fault_lost;
        take_out(set, queue, waiter, now_us);
        waiter->next_out = out;
        out = waiter;
    }
    pthread_mutex_unlock(&queue->lock);
    send_out(out);
}

void kit_queue_leave(kit_lease_t *lease, uint64_t now_us)
{
    struct kit_queue *queue = atomic_load_explicit(&lease->set->queue, memory_order_acquire);
    kit_waiter_t *waiter;

    if (queue == NULL)
        return;
    pthread_mutex_lock(&queue->lock);
    waiter = lease->waiter;
    if (waiter != NULL) {
        take_out(lease->set, queue, waiter, now_us);
        waiter->fault = &kit_fault_gone;
        waiter->next_out = NULL;
    }
    pthread_mutex_unlock(&queue->lock);
    send_out(waiter);
}

/* ---- ticks ---- */

/* Why nobody could take a request that was held. */
static const weir_fault_t *reason_now(weir_set_t *set, kit_waiter_t *waiter, struct kit_queue *queue, uint64_t now_us)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    const kit_wish_t wish = {.dice = roll,
                             .dice_context = queue,
                             .now_us = now_us,
                             .may = waiter->lease->may,
                             .may_context = waiter->lease->may_context};
    kit_pick_t pick = kit_choose(view, &wish);

    if (pick.member != NULL && waiter->lease->last != NULL)
        return waiter->lease->last; /* it is there, and could not be connected to */
    return kit_fault_of(pick.member != NULL ? KIT_ALL_FULL : pick.why_none);
}

/* How long one may wait, since it first had to. */
static uint64_t wait_us(const struct kit_queue *queue, const kit_waiter_t *waiter, const kit_settings_t *settings,
                        uint64_t now_us)
{
    const uint64_t timeout_us = (uint64_t)settings->queue.timeout_ms * MS_US;

    if (waiter->is_hold)
        return (uint64_t)hold_ms(settings) * MS_US;
    return kit_since(now_us, queue->standing_us) > timeout_us ? timeout_us / STANDING_TIMES : timeout_us;
}

static void refuse_late(weir_set_t *set, struct kit_queue *queue, uint64_t now_us, kit_waiter_t **out)
{
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    kit_link_t *next;

    for (kit_link_t *at = queue->by_age.after; at != &queue->by_age; at = next) {
        kit_waiter_t *waiter = of_age(at);
        next = at->after;
        if (kit_since(now_us, waiter->lease->arrived_us) < wait_us(queue, waiter, settings, now_us))
            continue;
        waiter->fault = waiter->is_hold ? reason_now(set, waiter, queue, now_us) : &kit_fault_timeout;
        take_out(set, queue, waiter, now_us);
        waiter->next_out = *out;
        *out = waiter;
    }
}

/* Those who have waited long enough for the member they are pinned to take another one. True: there are some. */
static bool let_go_of_pins(weir_set_t *set, struct kit_queue *queue, uint64_t now_us)
{
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    const uint64_t patience_us = (uint64_t)settings->affinity.patience_ms * MS_US;
    bool has_any = false;

    for (kit_link_t *at = queue->by_age.after; at != &queue->by_age; at = at->after) {
        kit_lease_t *lease = of_age(at)->lease;
        if (lease->pinned != NULL && kit_since(now_us, lease->arrived_us) >= patience_us)
            has_any = kit_pin_let_go(lease, settings) || has_any;
    }
    return has_any;
}

/*
 * Nobody was served since the last tick, and now somebody is: a slot was free, and nobody has said so. But for those who are
 * held: a backend that they could not connect to may be tried again.
 */
static void rescue(weir_set_t *set, struct kit_queue *queue, uint64_t now_us, kit_waiter_t **out)
{
    const uint64_t before = queue->served_busy;
    const bool is_late = queue->served == queue->served_at_tick && !queue->is_paced;

    if (is_late || queue->is_paced)
        give_out(set, queue, now_us, out);
    if (is_late)
        atomic_fetch_add(&rescues, queue->served_busy - before);
    queue->served_at_tick = queue->served;
}

void kit_queue_tick(weir_set_t *set, uint64_t now_us)
{
    struct kit_queue *queue = atomic_load_explicit(&set->queue, memory_order_acquire);
    kit_waiter_t *late = NULL, *out = NULL;

    if (queue == NULL || kit_queue_count(set) == 0)
        return;
    pthread_mutex_lock(&queue->lock);
    refuse_late(set, queue, now_us, &late);
    if (let_go_of_pins(set, queue, now_us))
        give_out(set, queue, now_us, &out);
    rescue(set, queue, now_us, &out);
    pthread_mutex_unlock(&queue->lock);
    send_out(late);
    send_out(out);
}
