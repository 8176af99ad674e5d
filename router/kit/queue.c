/* SPDX-License-Identifier: MIT */
#include <sys/random.h>

#include "alloc.h"
#include "metrics.h"
#include "pin.h"
#include "queue_inside.h"

enum {
    FIRST_CHECK_MS = 500, /* until a first check begins */
    BACKSTOP_MS = 1000,   /* a hold ends by a tick, which knows the reason; or by this */
};

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

/* ---- life ---- */

static struct kit_queue *create(void)
{
    struct kit_queue *queue = kit_alloc(1, sizeof(*queue));

    if (pthread_mutex_init(&queue->lock, NULL) != 0)
        abort();
    list_init(&queue->by_age);
    queue->to_answer_end = &queue->to_answer;
    for (size_t i = 0; i < KIT_BUCKETS; i++)
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

static struct kit_queue *queue_of(kit_activity_t *activity)
{
    struct kit_queue *queue = atomic_load_explicit(&activity->queue, memory_order_acquire), *made;

    if (queue != NULL)
        return queue;
    made = create();
    if (atomic_compare_exchange_strong(&activity->queue, &queue, made))
        return made;
    kit_queue_free(made);
    return queue;
}

/* One that is closed is about to be replaced: whoever is first has it replaced. */
static struct kit_queue *lock_queue(weir_set_t *set)
{
    for (;;) {
        kit_activity_t *activity = kit_activity_of(set);
        struct kit_queue *queue = queue_of(activity);
        pthread_mutex_lock(&queue->lock);
        if (!queue->is_closed)
            return queue;
        pthread_mutex_unlock(&queue->lock);
        (void)atomic_compare_exchange_strong(&set->activity, &activity, NULL);
    }
}

bool kit_queue_close(weir_set_t *set)
{
    struct kit_queue *queue = queue_of(kit_activity(set));

    pthread_mutex_lock(&queue->lock);
    queue->is_closed = queue->count == 0 && !queue->is_answering;
    const bool is_closed = queue->is_closed;
    pthread_mutex_unlock(&queue->lock);
    return is_closed;
}

uint32_t kit_queue_count(const weir_set_t *set)
{
    return atomic_load_explicit(&set->waiting, memory_order_seq_cst);
}

/* ---- in and out, under the lock ---- */

static uint8_t cause_counted(const kit_waiter_t *waiter)
{
    const bool is_pinned = waiter->cause == KIT_BUSY && waiter->lease->pinned != NULL;

    return is_pinned ? KIT_ENTERED_PIN - KIT_ENTERED_BUSY : waiter->cause;
}

static void put(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter)
{
    kit_bucket_t *bucket = &queue->buckets[waiter->bucket];

    list_append(&bucket->waiters, &waiter->in_bucket);
    list_append(&queue->by_age, &waiter->in_age);
    bucket->count++;
    if (queue->count++ == 0)
        queue->standing_us = waiter->since_us;
    waiter->lease->waiter = waiter;
    waiter->counted_as = cause_counted(waiter);
    kit_metrics_count((kit_metric_t)(KIT_ENTERED_BUSY + waiter->counted_as));
    atomic_fetch_add_explicit(&set->waiting, 1, memory_order_seq_cst);
}

/* The host's timer may be early by a part of a millisecond. */
static kit_metric_t how_it_left(const kit_waiter_t *waiter, uint64_t now_us)
{
    if (waiter->fault == NULL)
        return KIT_LEFT_SERVED;
    if (waiter->fault == &kit_fault_gone)
        return now_us + KIT_MS_US >= waiter->until_us ? KIT_LEFT_DEADLINE : KIT_LEFT_CLIENT;
    if (waiter->fault == &kit_fault_too_deep)
        return KIT_LEFT_DEEP;
    if (waiter->fault == &kit_fault_maintenance)
        return KIT_LEFT_STOPPED;
    return waiter->fault == &kit_fault_lost ? KIT_LEFT_LOST : KIT_LEFT_DEADLINE;
}

void kit_queue_take_out(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter, uint64_t now_us)
{
    list_remove(&waiter->in_bucket);
    list_remove(&waiter->in_age);
    queue->buckets[waiter->bucket].count--;
    weir_waiting_end();
    kit_metrics_count((kit_metric_t)(KIT_ENDED_BUSY + waiter->counted_as));
    kit_metrics_count(how_it_left(waiter, now_us));
    if (waiter->fault == NULL)
        kit_metrics_waited(kit_since(now_us, waiter->since_us));
    waiter->lease->waiter = NULL;
    waiter->lease->waited_ms += (uint32_t)(kit_since(now_us, waiter->since_us) / KIT_MS_US);
    waiter->lease->is_held = waiter->cause != KIT_BUSY || waiter->was_paused;
    atomic_fetch_sub_explicit(&set->waiting, 1, memory_order_seq_cst);
    if (--queue->count > 0)
        return;
    queue->is_paced = false;
    queue->spread_us = 0;
    atomic_store(&set->window, 0);
}

void kit_queue_refuse(weir_set_t *set, struct kit_queue *queue, kit_waiter_t *waiter, const weir_fault_t *fault,
                      uint64_t now_us)
{
    waiter->fault = fault;
    kit_queue_take_out(set, queue, waiter, now_us);
    kit_queue_append(queue, waiter);
}

/* ---- answers ---- */

void kit_queue_append(struct kit_queue *queue, kit_waiter_t *waiter)
{
    waiter->next_out = NULL;
    *queue->to_answer_end = waiter;
    queue->to_answer_end = &waiter->next_out;
}

/* Without the lock: the answer may have the request go on. */
static void answer_all(kit_waiter_t *waiters)
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

static kit_waiter_t *take_answers(struct kit_queue *queue)
{
    kit_waiter_t *waiters = queue->to_answer;

    queue->to_answer = NULL;
    queue->to_answer_end = &queue->to_answer;
    return waiters;
}

/*
 * Two threads that gave their answers at the same time would overtake each other. So one at a time does, and what others append
 * meanwhile is its, too: they need not wait for it.
 */
void kit_queue_unlock(struct kit_queue *queue)
{
    kit_waiter_t *waiters;

    while (!queue->is_answering && (waiters = take_answers(queue)) != NULL) {
        queue->is_answering = true;
        pthread_mutex_unlock(&queue->lock);
        answer_all(waiters);
        pthread_mutex_lock(&queue->lock);
        queue->is_answering = false;
    }
    pthread_mutex_unlock(&queue->lock);
}

/* ---- waiting ---- */

static void make_client_key(void)
{
    (void)!getrandom(client_key, sizeof(client_key), 0);
}

/* Who is a client: its address, of IPv6 the network of 64 bits, or what a header says. */
uint8_t kit_queue_bucket(const kit_settings_t *settings, const weir_request_t *request)
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
    return (uint8_t)(weir_siphash(client_key, who) % KIT_BUCKETS);
}

static kit_bucket_t *longest(struct kit_queue *queue)
{
    kit_bucket_t *most = &queue->buckets[0];

    for (size_t i = 1; i < KIT_BUCKETS; i++)
        if (queue->buckets[i].count > most->count)
            most = &queue->buckets[i];
    return most;
}

kit_bucket_t *kit_queue_loser(struct kit_queue *queue, uint8_t bucket)
{
    kit_bucket_t *most = longest(queue);

    return most->count == 0 || most == &queue->buckets[bucket] ? NULL : most;
}

/* The client that has most waiting loses its newest. True: that is the newcomer. */
static bool make_room(weir_set_t *set, struct kit_queue *queue, const kit_waiter_t *newcomer)
{
    kit_bucket_t *most = kit_queue_loser(queue, newcomer->bucket);

    if (most == NULL)
        return true;
    kit_waiter_t *loser = kit_waiter_of_bucket(most->waiters.before);
    kit_queue_refuse(set, queue, loser, &kit_fault_too_deep, newcomer->since_us);
    return false;
}

bool kit_queue_has_no_place(weir_set_t *set, const kit_settings_t *settings, const weir_request_t *request)
{
    struct kit_queue *queue = kit_queue(set);

    if (queue == NULL)
        return settings->queue.length == 0;
    pthread_mutex_lock(&queue->lock);
    const bool has_none =
        queue->count >= settings->queue.length && kit_queue_loser(queue, kit_queue_bucket(settings, request)) == NULL;
    pthread_mutex_unlock(&queue->lock);
    return has_none;
}

/* It was served, and nobody is to be answered before it. */
static bool is_first(const struct kit_queue *queue, const kit_waiter_t *waiter)
{
    return !queue->is_answering && queue->to_answer == waiter;
}

static weir_answer_t answer_first(struct kit_queue *queue, kit_lease_t *lease, kit_waiter_t *waiter)
{
    queue->to_answer = waiter->next_out;
    if (queue->to_answer == NULL)
        queue->to_answer_end = &queue->to_answer;
    weir_answer_t answer = weir_checkout_pick(waiter->q, (weir_service_t *)(void *)lease->member);
    free(waiter);
    return answer;
}

static kit_waiter_t *create_waiter(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                                   weir_q_checkout_t *q, const kit_asking_t *asking)
{
    kit_waiter_t *waiter = kit_alloc(1, sizeof(*waiter));

    waiter->lease = lease;
    waiter->q = q;
    waiter->since_us = weir_now_us(request);
    waiter->asking = *asking;
    waiter->bucket = kit_queue_bucket(settings, request);
    return waiter;
}

/* Without `hold` only first checks are waited for: a whole one. */
uint32_t kit_queue_hold_ms(const kit_settings_t *settings)
{
    return settings->hold_ms > 0 ? settings->hold_ms : settings->health.timeout_ms + FIRST_CHECK_MS;
}

/* Until its deadline, or for a hold a little longer. A pause ends when somebody says so, or by a tick. */
static uint32_t time_left_ms(kit_lease_t *lease, const kit_settings_t *settings, kit_cause_t cause, uint64_t now_us)
{
    const uint64_t hold_ms = (uint64_t)kit_queue_hold_ms(settings) + BACKSTOP_MS;
    const uint64_t all_ms = cause == KIT_PAUSE ? WEIR_LATER_MOST_MS : cause == KIT_HOLD ? hold_ms : settings->queue.timeout_ms;

    if (lease->arrived_us == 0)
        lease->arrived_us = now_us;
    const uint64_t gone_ms = kit_since(now_us, lease->arrived_us) / KIT_MS_US;
    return gone_ms < all_ms ? (uint32_t)(all_ms - gone_ms) : 1;
}

/* Whoever ends a pause, or stops the app, says so first and looks at those who wait then. Not NULL: it may not. */
static const weir_fault_t *look_again(const kit_lease_t *lease, kit_cause_t *cause)
{
    const kit_course_t course = (kit_course_t)atomic_load(&lease->set->course);

    if (course == KIT_STOPPED && lease->picks == 0)
        return &kit_fault_maintenance;
    if (course == KIT_RUNNING && *cause == KIT_PAUSE)
        *cause = KIT_BUSY;
    return NULL;
}

static const weir_fault_t *overdue_of(kit_cause_t cause, kit_why_none_t why)
{
    if (cause == KIT_PAUSE)
        return &kit_fault_paused;
    return kit_fault_of(cause == KIT_HOLD ? why : KIT_ALL_FULL);
}

static weir_answer_t refuse_place(weir_q_checkout_t *q, const weir_fault_t *fault)
{
    if (fault == &kit_fault_too_deep)
        kit_metrics_count(KIT_LEFT_DEEP);
    return weir_checkout_refuse(q, fault);
}

/*
 * The promise is made before anybody else can know of the waiter: from then on its answer may come from any thread, and the
 * request may be over when this returns.
 */
weir_answer_t kit_queue_wait(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                             weir_q_checkout_t *q, const kit_asking_t *asking, kit_cause_t cause, kit_why_none_t why)
{
    weir_set_t *set = lease->set;
    kit_waiter_t *waiter = create_waiter(lease, settings, request, q, asking);
    struct kit_queue *queue = lock_queue(set);
    const weir_fault_t *fault;
    weir_answer_t answer;

    fault = look_again(lease, &cause);
    if (fault == NULL && queue->count >= settings->queue.length && make_room(set, queue, waiter))
        fault = &kit_fault_too_deep;
    if (fault == NULL && !weir_waiting_begin())
        fault = &kit_fault_too_deep;
    if (fault != NULL) {
        kit_queue_unlock(queue);
        free(waiter);
        return refuse_place(q, fault);
    }
    const uint32_t wait_ms = time_left_ms(lease, settings, cause, waiter->since_us);
    if (cause == KIT_BUSY)
        lease->tried_count = 0; /* one that could not be connected to may be back by then */
    waiter->cause = (uint8_t)cause;
    waiter->until_us = waiter->since_us + (uint64_t)wait_ms * KIT_MS_US;
    put(set, queue, waiter);
    atomic_thread_fence(memory_order_seq_cst); /* first we are seen to wait, then we look for a slot */
    if (kit_pin_leads_nowhere(lease))
        (void)kit_pin_let_go(lease, settings);
    if (cause == KIT_BUSY || kit_lease_why(lease, request) == KIT_WOULD_DO)
        kit_queue_give_out(set, queue, waiter->since_us);
    if (is_first(queue, waiter))
        answer = answer_first(queue, lease, waiter);
    else
        answer = weir_later_until(q, wait_ms, overdue_of(cause, why));
    kit_queue_unlock(queue);
    return answer;
}

void kit_queue_unpin(weir_set_t *set, uint64_t now_us)
{
    struct kit_queue *queue = kit_queue(set);
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    kit_link_t *next;

    if (queue == NULL)
        return;
    pthread_mutex_lock(&queue->lock);
    for (kit_link_t *at = queue->by_age.after; at != &queue->by_age; at = next) {
        kit_waiter_t *waiter = kit_waiter_of_age(at);
        next = at->after;
        if (!kit_pin_leads_nowhere(waiter->lease) || kit_pin_let_go(waiter->lease, settings))
            continue;
        waiter->lease->pinned = NULL;
        kit_queue_refuse(set, queue, waiter, &kit_fault_lost, now_us);
    }
    kit_queue_give_out(set, queue, now_us); /* to those who wait for any now */
    kit_queue_unlock(queue);
}

/* Its answer overtakes whom it likes: the question is over if it is answered in this call. */
void kit_queue_leave(kit_lease_t *lease, uint64_t now_us)
{
    struct kit_queue *queue = kit_queue(lease->set);
    kit_waiter_t *waiter;

    if (queue == NULL)
        return;
    pthread_mutex_lock(&queue->lock);
    waiter = lease->waiter;
    if (waiter != NULL) {
        waiter->fault = &kit_fault_gone;
        waiter->next_out = NULL;
        kit_queue_take_out(lease->set, queue, waiter, now_us);
    }
    pthread_mutex_unlock(&queue->lock);
    answer_all(waiter);
}
