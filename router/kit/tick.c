/* SPDX-License-Identifier: MIT */
#include <sys/random.h>

#include "alloc.h"
#include "health.h"
#include "instance.h"
#include "queue.h"

enum { IDLE_TICKS = 100 }; /* without a request, after which a set is not visited any more */

void kit_use(weir_set_t *set)
{
    if (atomic_load_explicit(&set->is_touched, memory_order_relaxed) == 0)
        atomic_store(&set->is_touched, 1);
    if (atomic_load_explicit(&set->is_used, memory_order_relaxed) != 0 || atomic_exchange(&set->is_used, 1) != 0)
        return;
    weir_set_t *next = atomic_load(&set->instance->fresh);
    do {
        set->next_used = next;
    } while (!atomic_compare_exchange_weak(&set->instance->fresh, &next, set));
}

static void take_fresh(kit_instance_t *instance)
{
    weir_set_t *next;

    for (weir_set_t *set = atomic_exchange(&instance->fresh, NULL); set != NULL; set = next) {
        next = set->next_used;
        set->next_used = instance->used;
        set->idle_ticks = 0;
        instance->used = set;
    }
}

static bool is_idle(weir_set_t *set)
{
    if (atomic_exchange(&set->is_touched, 0) != 0 || kit_queue_count(set) > 0 || set->leaving_count > 0)
        set->idle_ticks = 0;
    return ++set->idle_ticks > IDLE_TICKS;
}

static void visit(weir_set_t *set, uint64_t now_us, uint64_t dice)
{
    if (kit_health_tick(set, now_us, dice))
        kit_queue_kick(set, now_us, false);
    kit_queue_tick(set, now_us);
    kit_set_follow_ring(set);
    (void)kit_set_sweep(set, now_us);
}

static void look_at_rings(struct weir_kit *kit, uint64_t now_us)
{
    char problem[512];

    for (kit_ring_t *ring = kit->instance->rings; ring != NULL; ring = ring->next) {
        const char *wrong = kit_ring_look(ring, now_us, problem, sizeof(problem));
        if (wrong != NULL)
            weir_instance_log(kit->host, "%s; the keys that were read before hold", wrong);
    }
}

void kit_tick(void *of)
{
    struct weir_kit *kit = of;
    kit_instance_t *instance = kit->instance;
    uint64_t dice = 0, now_us = weir_instance_now_us(kit->host);

    (void)!getrandom(&dice, sizeof(dice), GRND_NONBLOCK);
    pthread_mutex_lock(&instance->lock);
    if (instance->started == kit) {
        look_at_rings(kit, now_us);
        take_fresh(instance);
        for (weir_set_t **at = &instance->used; *at != NULL;) {
            weir_set_t *set = *at;
            visit(set, now_us, dice++);
            if (is_idle(set)) {
                *at = set->next_used;
                atomic_store(&set->is_used, 0);
                if (atomic_load(&set->is_touched) != 0)
                    kit_use(set); /* a request has come since we looked */
            } else {
                at = &set->next_used;
            }
        }
    }
    pthread_mutex_unlock(&instance->lock);
}
