/* SPDX-License-Identifier: MIT */
/* What an operator says of an app: its new requests wait, go on, or are sent away. What is under way goes on in each case. */
#include "instance.h"
#include "queue_inside.h"

static uint64_t now_of(const weir_set_t *set)
{
    const struct weir_kit *kit = set->instance->started;

    return weir_instance_now_us(kit == NULL ? NULL : kit->host);
}

/* First it is set, then who waits is looked at; who waits does so first and looks at it then. */
static void set_course(weir_set_t *set, kit_course_t course)
{
    atomic_store(&set->course, (uint8_t)course);
}

void weir_set_pause(weir_set_t *set, uint32_t max_ms)
{
    pthread_mutex_lock(&set->instance->lock);
    atomic_store(&kit_activity_of(set)->pause_until_us, now_of(set) + (uint64_t)max_ms * KIT_MS_US);
    set_course(set, KIT_PAUSED);
    kit_use(set);
    pthread_mutex_unlock(&set->instance->lock);
}

/* Everybody waits for a slot now. Their deadlines count from now: it is not their fault. */
static void unpause(struct kit_queue *queue, uint64_t now_us)
{
    for (kit_link_t *at = queue->by_age.after; at != &queue->by_age; at = at->after) {
        kit_waiter_t *waiter = kit_waiter_of_age(at);
        waiter->lease->arrived_us = now_us;
        waiter->was_paused = waiter->was_paused || waiter->cause == KIT_PAUSE;
        if (waiter->cause == KIT_PAUSE)
            waiter->cause = KIT_BUSY;
    }
    queue->standing_us = now_us;
}

static void let_go(weir_set_t *set, struct kit_queue *queue, uint32_t spread_ms, uint64_t now_us)
{
    unpause(queue, now_us);
    kit_queue_begin_pace(set, queue);
    if (spread_ms > 0 && queue->count > 0) {
        queue->is_paced = true; /* ticks give out what is due */
        queue->spread_from_us = now_us;
        queue->spread_us = (uint64_t)spread_ms * KIT_MS_US;
        queue->spread_count = queue->count;
        queue->spread_served = queue->served;
    }
    kit_queue_give_out(set, queue, now_us);
}

void weir_set_resume(weir_set_t *set, uint32_t spread_ms)
{
    struct kit_queue *queue;

    pthread_mutex_lock(&set->instance->lock);
    const uint64_t now_us = now_of(set);
    set_course(set, KIT_RUNNING);
    queue = kit_queue(set);
    if (queue != NULL) {
        pthread_mutex_lock(&queue->lock);
        let_go(set, queue, spread_ms, now_us);
    }
    pthread_mutex_unlock(&set->instance->lock);
    if (queue != NULL)
        kit_queue_unlock(queue);
}

static void refuse_all(weir_set_t *set, struct kit_queue *queue, const weir_fault_t *fault, uint64_t now_us)
{
    while (queue->count > 0)
        kit_queue_refuse(set, queue, kit_waiter_of_age(queue->by_age.after), fault, now_us);
}

void weir_set_stop(weir_set_t *set)
{
    struct kit_queue *queue;

    pthread_mutex_lock(&set->instance->lock);
    const uint64_t now_us = now_of(set);
    set_course(set, KIT_STOPPED);
    queue = kit_queue(set);
    if (queue != NULL) {
        pthread_mutex_lock(&queue->lock);
        refuse_all(set, queue, &kit_fault_maintenance, now_us);
    }
    pthread_mutex_unlock(&set->instance->lock);
    if (queue != NULL)
        kit_queue_unlock(queue);
}

void kit_queue_tick_pause(weir_set_t *set, struct kit_queue *queue, uint64_t now_us)
{
    if (now_us >= atomic_load(&kit_activity_of(set)->pause_until_us))
        refuse_all(set, queue, &kit_fault_paused, now_us);
}

uint64_t weir_set_in_flight(const weir_set_t *set)
{
    uint64_t count = 0;

    pthread_mutex_lock(&set->instance->lock);
    for (size_t i = 0; i < set->member_count; i++)
        count += kit_in_flight(atomic_load(&set->members[i]->load)) + kit_tunnels(atomic_load(&set->members[i]->load));
    for (size_t i = 0; i < set->leaving_count; i++)
        count += kit_in_flight(atomic_load(&set->leaving[i]->load)) + kit_tunnels(atomic_load(&set->leaving[i]->load));
    pthread_mutex_unlock(&set->instance->lock);
    return count;
}

uint32_t weir_set_waiting(const weir_set_t *set)
{
    return kit_queue_count(set);
}
