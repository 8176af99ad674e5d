/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "health.h"
#include "instance.h"
#include "later.h"
#include "names.h"
#include "own.h"
#include "queue.h"
#include "rest.h"
#include "state_file.h"
#include "wait.h"
#include "view.h"
#include "watch.h"

/* Without a request, after which a set is not visited any more: fewer where there is nothing that time alone would change. */
enum { IDLE_TICKS = 100, QUIET_TICKS = 5 };

void kit_look_at(weir_set_t *set)
{
    if (atomic_load_explicit(&set->is_used, memory_order_relaxed) != 0 || atomic_exchange(&set->is_used, 1) != 0)
        return;
    weir_set_t *next = atomic_load(&set->instance->fresh);
    do {
        set->next_used = next;
    } while (!atomic_compare_exchange_weak(&set->instance->fresh, &next, set));
}

void kit_use(weir_set_t *set)
{
    if (atomic_load_explicit(&set->is_touched, memory_order_relaxed) == 0)
        atomic_store(&set->is_touched, 1);
    kit_look_at(set);
}

/* A request has come, or it is new. */
static void begin_use(weir_set_t *set, uint64_t now_us, uint64_t dice)
{
    const bool was_idle = kit_since(now_us, set->used_at_us) >= KIT_CHECK_IDLE_US;

    set->used_at_us = now_us;
    if (was_idle)
        kit_check_wake(set, now_us, dice);
}

static void take_fresh(kit_instance_t *instance, uint64_t now_us)
{
    weir_set_t *next;

    for (weir_set_t *set = atomic_exchange(&instance->fresh, NULL); set != NULL; set = next) {
        const bool is_touched = atomic_load(&set->is_touched) != 0;
        next = set->next_used;
        set->next_used = instance->used;
        instance->used = set;
        set->idle_ticks = is_touched ? 0 : IDLE_TICKS;
        kit_rest_end(set);
        if (is_touched || set->used_at_us == 0)
            begin_use(set, now_us, kit_dice(instance));
    }
}

/* Nobody is served, waits or leaves, and nobody is ill, slow or new. */
static bool is_quiet(weir_set_t *set, uint64_t now_us)
{
    const kit_view_t *view = atomic_load(&set->view);
    const uint64_t ramp_us = view->settings.slow_start_ms * UINT64_C(1000);

    if (kit_queue_count(set) > 0 || set->leaving_count > 0 || set->is_panic)
        return false;
    for (size_t i = 0; i < kit_view_count(view); i++) {
        weir_member_t *member = kit_view_member(view, i);
        if (KIT_READ(member->load) != 0 || kit_trouble(member) != NULL || KIT_READ(member->handicap) != 0 ||
            (ramp_us > 0 && kit_since(now_us, KIT_READ(member->joined_at_us)) < ramp_us))
            return false;
    }
    return true;
}

static bool is_idle(weir_set_t *set, uint64_t now_us)
{
    const bool is_touched = KIT_READ(set->is_touched) != 0 && atomic_exchange(&set->is_touched, 0) != 0;

    if (is_touched)
        set->used_at_us = now_us;
    if (is_touched || kit_queue_count(set) > 0 || set->leaving_count > 0)
        set->idle_ticks = 0;
    set->idle_ticks++;
    return set->idle_ticks > IDLE_TICKS || (set->idle_ticks > QUIET_TICKS && is_quiet(set, now_us));
}

/* What is ignored is told: checks that fail for most are as likely to be wrong themselves. */
static void tell_panic(const struct weir_kit *kit, weir_set_t *set)
{
    const bool is_panic = kit_is_panic(atomic_load(&set->view));

    if (is_panic == set->is_panic)
        return;
    set->is_panic = is_panic;
    weir_instance_log(kit->host,
                      is_panic ? "app %s: most of its backends fail their checks: these are ignored"
                               : "app %s: its backends' checks are believed again",
                      set->name);
}

static void visit(const struct weir_kit *kit, weir_set_t *set, uint64_t now_us, uint64_t dice)
{
    tell_panic(kit, set);
    if (kit_health_tick(set, now_us, dice))
        kit_queue_kick(set, now_us, false);
    kit_queue_tick(set, now_us);
    kit_set_follow_ring(set);
    (void)kit_set_sweep(set, now_us);
    kit_watch_health(set->instance, set);
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

static void tell_trouble(const struct weir_kit *kit)
{
    char text[512];

    if (kit->instance->file != NULL && kit_state_file_trouble(kit->instance->file, text, sizeof(text)))
        weir_instance_log(kit->host, "%s", text);
}

void kit_tick(void *of)
{
    struct weir_kit *kit = of;
    kit_instance_t *instance = kit->instance;
    const uint64_t now_us = weir_instance_now_us(kit->host);

    pthread_mutex_lock(&instance->lock);
    if (instance->started == kit) {
        kit_own_publish_late(kit, now_us); /* if what was said to follow has not */
        look_at_rings(kit, now_us);
        kit_names_tick(instance, now_us);
        kit_check_tick(instance, now_us);
        kit_rest_tick(instance, now_us);
        kit_later_tick(kit);
        kit_waits_tick(instance, now_us);
        tell_trouble(kit);
        take_fresh(instance, now_us);
        for (weir_set_t **at = &instance->used; *at != NULL;) {
            weir_set_t *set = *at;
            visit(kit, set, now_us, kit_dice(instance));
            if (is_idle(set, now_us)) {
                *at = set->next_used;
                kit_rest_begin(set);
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
