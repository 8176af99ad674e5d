/* SPDX-License-Identifier: MIT */
/* Keys that are gone in the store: which of them go here as well. */
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/blame.h"

enum { GUARDED_KINDS = STATE_DOMAIN + 1 };

/* Whether too many of its backends have gone since their agents did, which may be one mistake of them all. */
static bool is_suspect(const state_object_t *object, uint64_t now_us)
{
    state_slot_t *slot = object->slot;

    if (object->kind != STATE_BACKEND || !object->has_lease)
        return false;
    if (slot->losses == NULL)
        slot->losses = calloc(1, sizeof(*slot->losses));
    WEIR_MUST(slot->losses != NULL);
    state_losses_t *losses = slot->losses;
    if (losses->from_us == 0 || now_us - losses->from_us > STATE_GUARD_WINDOW_US)
        *losses = (state_losses_t){.from_us = now_us, .of = slot->backend_count};
    if (losses->of > 1 && 2 * (losses->count + 1) > losses->of)
        return true;
    losses->count++;
    return false;
}

static void let_go(state_step_t *step, state_object_t *object)
{
    const bool is_default = step->table.defaults == object;

    state_table_remove(&step->table, object);
    if (is_default)
        state_step_touch_all(step);
}

static void lose_one(state_step_t *step, state_object_t *object, bool is_held, uint64_t now_us)
{
    if (is_held) {
        state_table_hold(&step->table, object, false);
        return;
    }
    if (is_suspect(object, now_us)) {
        if (object->slot->suspects == 0)
            weir_log("state: app %s has lost most of its backends with their leases: the last ones stay until others come",
                     object->slot->name);
        state_table_hold(&step->table, object, true);
        return;
    }
    let_go(step, object);
}

void state_step_lose(state_step_t *step, state_object_t *const *objects, size_t count, bool is_all, uint64_t now_us)
{
    size_t lost[STATE_KINDS] = {0};
    bool is_held[STATE_KINDS] = {false};

    for (size_t i = 0; i < count; i++)
        lost[objects[i]->kind]++;
    for (int kind = 0; kind < STATE_KINDS; kind++) {
        const size_t present = step->table.counts[kind] - step->table.absent[kind];
        if (lost[kind] == 0)
            continue;
        is_held[kind] = is_all || (kind < GUARDED_KINDS && !state_guard_lets(&step->guards[kind], present, lost[kind], now_us));
        if (is_held[kind])
            weir_log("state: %zu of %zu %s are not there any more, and stay until it is said that they may go", lost[kind],
                     present, state_kind_words[kind]);
    }
    for (size_t i = 0; i < count; i++)
        lose_one(step, objects[i], is_held[objects[i]->kind], now_us);
}

size_t state_step_held(const state_step_t *step)
{
    size_t held = 0;

    for (int kind = 0; kind < STATE_KINDS; kind++)
        held += step->table.absent[kind];
    return held;
}

size_t state_step_accept(state_step_t *step)
{
    const size_t held = state_step_held(step);
    state_object_t **gone = calloc(held + 1, sizeof(state_object_t *));
    state_names_walk_t walk = {0};
    size_t count = 0;

    WEIR_MUST(gone != NULL);
    for (state_name_t *name; (name = state_names_next(&step->table.objects, &walk)) != NULL;)
        if (WEIR_AROUND(name, state_object_t, by_key)->is_absent)
            gone[count++] = WEIR_AROUND(name, state_object_t, by_key);
    for (size_t i = 0; i < count; i++)
        let_go(step, gone[i]);
    free(gone);
    for (int kind = 0; kind < STATE_KINDS; kind++)
        state_guard_begin(&step->guards[kind]);
    return count;
}
