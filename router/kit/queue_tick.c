/* SPDX-License-Identifier: MIT */
/* Whose time is up, and what nobody gave. */
#include "pin.h"
#include "queue_inside.h"

enum { STANDING_TIMES = 10 }; /* the deadline is so much shorter once the queue stands */

static _Atomic uint64_t rescues;

uint64_t kit_queue_rescues(void)
{
    return atomic_load(&rescues);
}

/* Why nobody could take a request that was held. */
static const weir_fault_t *reason_now(weir_set_t *set, kit_waiter_t *waiter, struct kit_queue *queue, uint64_t now_us)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);
    const kit_wish_t wish = {.dice = kit_queue_roll,
                             .dice_context = queue,
                             .now_us = now_us,
                             .may = waiter->lease->may,
                             .may_context = waiter->lease->may_context};
    kit_pick_t pick = kit_choose(view, &wish);

    if (pick.member != NULL && waiter->lease->last != NULL)
        return waiter->lease->last; /* it is there, and could not be connected to */
    if (pick.member == NULL && pick.why_none == KIT_NONE_EXISTS && atomic_load(&set->awaits_names))
        return kit_fault_of(KIT_ALL_STARTING);
    return kit_fault_of(pick.member != NULL ? KIT_ALL_FULL : pick.why_none);
}

/* How long one may wait, since it first had to. */
static uint64_t wait_us(const struct kit_queue *queue, const kit_waiter_t *waiter, const kit_settings_t *settings,
                        uint64_t now_us)
{
    const uint64_t timeout_us = (uint64_t)settings->queue.timeout_ms * KIT_MS_US;

    if (waiter->cause == KIT_HOLD)
        return (uint64_t)kit_queue_hold_ms(settings) * KIT_MS_US;
    return kit_since(now_us, queue->standing_us) > timeout_us ? timeout_us / STANDING_TIMES : timeout_us;
}

static void refuse_late(weir_set_t *set, struct kit_queue *queue, uint64_t now_us)
{
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    kit_link_t *next;

    for (kit_link_t *at = queue->by_age.after; at != &queue->by_age; at = next) {
        kit_waiter_t *waiter = kit_waiter_of_age(at);
        next = at->after;
        if (kit_since(now_us, waiter->lease->arrived_us) < wait_us(queue, waiter, settings, now_us))
            continue;
        kit_queue_refuse(set, queue, waiter,
                         waiter->cause == KIT_HOLD ? reason_now(set, waiter, queue, now_us) : &kit_fault_timeout, now_us);
    }
}

/* Those who have waited long enough for the member they are pinned to, or whose is ill, take another. True: there are some. */
static bool let_go_of_pins(weir_set_t *set, struct kit_queue *queue, uint64_t now_us)
{
    const kit_settings_t *settings = atomic_load_explicit(&set->settings, memory_order_acquire);
    const uint64_t patience_us = (uint64_t)settings->affinity.patience_ms * KIT_MS_US;
    bool has_any = false;

    for (kit_link_t *at = queue->by_age.after; at != &queue->by_age; at = at->after) {
        kit_lease_t *lease = kit_waiter_of_age(at)->lease;
        if (kit_pin_leads_nowhere(lease) || (lease->pinned != NULL && kit_since(now_us, lease->arrived_us) >= patience_us))
            has_any = kit_pin_let_go(lease, settings) || has_any;
    }
    return has_any;
}

/*
 * Nobody was served since the last tick, and now somebody is: a slot was free, and nobody has said so. But for those who are
 * held: a backend that they could not connect to may be tried again.
 */
static void rescue(weir_set_t *set, struct kit_queue *queue, uint64_t now_us)
{
    const uint64_t before = queue->served_busy;
    const bool is_late = queue->served == queue->served_at_tick && !queue->is_paced;

    if (is_late || queue->is_paced)
        kit_queue_give_out(set, queue, now_us);
    if (is_late)
        atomic_fetch_add(&rescues, queue->served_busy - before);
    queue->served_at_tick = queue->served;
}

void kit_queue_tick(weir_set_t *set, uint64_t now_us)
{
    struct kit_queue *queue = kit_queue(set);

    if (queue == NULL || kit_queue_count(set) == 0)
        return;
    pthread_mutex_lock(&queue->lock);
    if (kit_is_paused(set)) {
        kit_queue_tick_pause(set, queue, now_us);
    } else {
        refuse_late(set, queue, now_us);
        if (let_go_of_pins(set, queue, now_us))
            kit_queue_give_out(set, queue, now_us);
        rescue(set, queue, now_us);
    }
    kit_queue_unlock(queue);
}
