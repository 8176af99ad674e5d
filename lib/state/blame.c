/* SPDX-License-Identifier: MIT */
#include "lib/state/blame.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

typedef struct blaming {
    state_step_t *step;
    state_slot_t *slot;
    state_object_t **fresh; /* taken back, all of them; those that are put again are good */
    size_t count;
    uint64_t now_us;
    bool has_blamed;
    char why[STATE_WHY_BYTES];
} blaming_t;

static void collect(blaming_t *it, const weir_list_t *list)
{
    for (const weir_list_t *node = list->next; node != list; node = node->next) {
        state_object_t *object = WEIR_AROUND(node, state_object_t, sibling);
        if (object->is_fresh)
            it->fresh[it->count++] = object;
    }
}

/* The app itself first: without it nothing is refused. */
static void collect_all(blaming_t *it)
{
    const state_slot_t *slot = it->slot;

    it->fresh = calloc(1 + slot->backend_count + slot->domain_count, sizeof(state_object_t *));
    WEIR_MUST(it->fresh != NULL);
    if (slot->app != NULL && slot->app->is_fresh)
        it->fresh[it->count++] = slot->app;
    collect(it, &slot->backends);
    collect(it, &slot->domains);
}

/* Whether it would be taken as it is now. */
static bool is_fine(blaming_t *it)
{
    state_change_t *change = &it->step->changes[0];

    if (!state_slot_is_whole(it->slot))
        return true;
    char *text = state_compose(&it->step->table, it->slot);
    *change = (state_change_t){.app = it->slot->name, .json = text, .is_trial = true};
    it->step->apply(it->step->context, change, 1);
    free(text);
    memcpy(it->why, change->why, sizeof(it->why));
    return change->is_fine;
}

static void refuse(blaming_t *it, state_object_t *object)
{
    char *value = state_object_text(object);

    if (object->old != NULL)
        state_table_release(&it->step->table, object->old); /* the store has the key, though not what holds */
    const state_raw_t raw = {state_object_key(object), {value, strlen(value)}, object->mod_revision, object->has_lease};

    state_step_refuse(it->step, &raw, STATE_BAD_REFUSED, it->why, it->now_us);
    it->has_blamed = true;
    free(value);
    state_table_discard(&it->step->table, object);
}

/* Halves: one bad key of a thousand is found in ten trials. */
static void try_range(blaming_t *it, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        state_table_take_again(&it->step->table, it->fresh[from + i]);
    if (count == 0 || is_fine(it))
        return;
    for (size_t i = count; i > 0; i--)
        state_table_take_back(&it->step->table, it->fresh[from + i - 1]);
    if (count == 1) {
        refuse(it, it->fresh[from]);
        return;
    }
    try_range(it, from, count / 2);
    try_range(it, from + count / 2, count - count / 2);
}

void state_blame(state_step_t *step, state_slot_t *slot, uint64_t now_us)
{
    blaming_t it = {.step = step, .slot = slot, .now_us = now_us};
    weir_list_t *dirty = &slot->dirty;

    collect_all(&it);
    for (size_t i = it.count; i > 0; i--)
        state_table_take_back(&step->table, it.fresh[i - 1]);
    if (is_fine(&it))
        try_range(&it, 0, it.count);
    else
        for (size_t i = 0; i < it.count; i++)
            state_table_take_again(&step->table, it.fresh[i]);
    free(it.fresh);
    if (it.has_blamed)
        return;
    state_step_settle(step, slot);
    weir_list_remove(dirty);
}
