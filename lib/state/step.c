/* SPDX-License-Identifier: MIT */
#include "lib/state/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/blame.h"

enum { LOGGED_MOST = 100, LOG_WINDOW_US = 10000000 };

void state_step_init(state_step_t *step, const char *prefix, state_apply_t *apply, void *context)
{
    *step = (state_step_t){.prefix = prefix, .apply = apply, .context = context};
    state_table_init(&step->table);
    state_troubles_init(&step->troubles);
    step->judged = malloc(sizeof(*step->judged));
    step->changes = calloc(STATE_CHANGES_MOST, sizeof(step->changes[0]));
    WEIR_MUST(step->judged != NULL && step->changes != NULL);
}

void state_step_dispose(state_step_t *step)
{
    state_table_dispose(&step->table);
    state_troubles_dispose(&step->troubles);
    free(step->judged);
    free(step->changes);
}

/* ---- values ---- */

/* Garbage may come by the million. */
static bool may_tell(state_step_t *step, uint64_t now_us)
{
    if (step->logged_from_us == 0 || now_us - step->logged_from_us > LOG_WINDOW_US) {
        step->logged_from_us = now_us;
        step->logged = 0;
    }
    return step->logged++ < LOGGED_MOST;
}

static void tell(state_step_t *step, weir_span_t key, const char *why, uint64_t now_us)
{
    if (may_tell(step, now_us))
        weir_log("state: %s%.*s is refused, and is as it was: %s", step->prefix, (int)key.len, key.base, why);
}

void state_step_refuse(state_step_t *step, const state_raw_t *raw, state_bad_t bad, const char *why, uint64_t now_us)
{
    if (state_troubles_add(&step->troubles, raw, bad, why))
        tell(step, raw->key, why, now_us);
}

/* Who kept those that had gone was waiting for one. */
static void drop_suspects(state_step_t *step, state_slot_t *slot)
{
    for (weir_list_t *node = slot->backends.next, *next; slot->suspects > 0 && node != &slot->backends; node = next) {
        state_object_t *object = WEIR_AROUND(node, state_object_t, sibling);
        next = node->next;
        if (object->is_suspect)
            state_table_remove(&step->table, object);
    }
}

void state_step_touch_all(state_step_t *step)
{
    state_names_walk_t walk = {0};

    for (state_name_t *name; (name = state_names_next(&step->table.slots, &walk)) != NULL;)
        state_table_touch(&step->table, WEIR_AROUND(name, state_slot_t, by_name));
}

state_object_t *state_step_put_kept(state_step_t *step, const state_said_t *said)
{
    const state_object_t *before = step->table.defaults;
    state_object_t *object = state_table_set(&step->table, said);

    if (before != step->table.defaults)
        state_step_touch_all(step);
    if (object->slot == NULL)
        state_table_settle(&step->table, object);
    return object;
}

/* The store is as it was read before. */
static bool is_as_before(const state_object_t *object, const state_said_t *said)
{
    const weir_span_t value = state_object_value(object);
    const bool has_slot = object->slot != NULL;

    return !object->is_absent && value.len == said->value.len && memcmp(value.base, said->value.base, value.len) == 0 &&
           has_slot == (said->slot.len > 0) &&
           (!has_slot ||
            (object->slot->name_length == said->slot.len && memcmp(object->slot->name, said->slot.base, said->slot.len) == 0));
}

/* Judges again what was refused. What is found is dropped. */
static void put_again(state_step_t *step, state_trouble_t *trouble, uint64_t now_us)
{
    char *value = trouble->value, *key = strndup(trouble->key, trouble->key_length);
    const state_raw_t raw = {
        {key, trouble->key_length}, {value, trouble->value_length}, trouble->mod_revision, trouble->has_lease};

    WEIR_MUST(key != NULL);
    trouble->value = NULL; /* ours, whatever becomes of it */
    state_troubles_drop(&step->troubles, raw.key);
    state_step_put(step, &raw, now_us);
    free(key);
    free(value);
}

/* An app that a router would not have may have been right, and one of its backends, which were there before it, not. */
static void try_app_again(state_step_t *step, const state_slot_t *slot, uint64_t now_us)
{
    char key[STATE_KEY_BYTES];
    const int length = snprintf(key, sizeof(key), "apps/%s", slot->name);
    const state_trouble_t *trouble = state_troubles_find(&step->troubles, (weir_span_t){key, (size_t)length});

    if (trouble != NULL && trouble->bad == STATE_BAD_REFUSED)
        put_again(step, (state_trouble_t *)(uintptr_t)trouble, now_us);
}

void state_step_put(state_step_t *step, const state_raw_t *raw, uint64_t now_us)
{
    state_judged_t *judged = step->judged;
    const state_verdict_t verdict = state_judge(&step->table, raw->key, raw->value, judged);
    state_object_t *before = state_table_find(&step->table, raw->key);

    if (before != NULL)
        before->is_seen = true;
    if (verdict == STATE_IGNORED)
        return;
    if (verdict == STATE_REFUSED) {
        if (before != NULL)
            state_table_release(&step->table, before);
        state_step_refuse(step, raw, judged->bad, judged->problem, now_us);
        return;
    }
    state_troubles_drop(&step->troubles, raw->key);
    judged->said.mod_revision = raw->mod_revision;
    judged->said.has_lease = raw->has_lease;
    if (before == NULL || !is_as_before(before, &judged->said)) {
        const state_object_t *object = state_step_put_kept(step, &judged->said);
        if (object->kind == STATE_BACKEND)
            object->slot->has_newcomer = true;
        if (object->slot != NULL && object->slot->app == NULL)
            try_app_again(step, object->slot, now_us);
        return;
    }
    before->mod_revision = raw->mod_revision;
    before->has_lease = raw->has_lease;
}

static bool may_be_retried(const state_trouble_t *trouble)
{
    return trouble->bad == STATE_BAD_REFUSED || trouble->bad == STATE_BAD_LOOP;
}

/* One may settle another, which is no trouble any more then: they are looked for by their keys. */
void state_step_retry(state_step_t *step, uint64_t now_us)
{
    char **keys = calloc(step->troubles.by_key.count + 1, sizeof(char *));
    state_names_walk_t walk = {0};
    size_t count = 0;

    WEIR_MUST(keys != NULL);
    for (const state_trouble_t *trouble; (trouble = state_troubles_next(&step->troubles, &walk)) != NULL;)
        if (may_be_retried(trouble)) {
            keys[count] = strndup(trouble->key, trouble->key_length);
            WEIR_MUST(keys[count++] != NULL);
        }
    for (size_t i = 0; i < count; i++) {
        const state_trouble_t *trouble = state_troubles_find(&step->troubles, (weir_span_t){keys[i], strlen(keys[i])});
        if (trouble != NULL && may_be_retried(trouble))
            put_again(step, (state_trouble_t *)(uintptr_t)trouble, now_us);
        free(keys[i]);
    }
    free(keys);
}

/* ---- in force ---- */

static void settle_list(state_step_t *step, const weir_list_t *list)
{
    for (const weir_list_t *node = list->next; node != list; node = node->next) {
        state_object_t *object = WEIR_AROUND(node, state_object_t, sibling);
        if (object->is_fresh)
            state_table_settle(&step->table, object);
    }
}

void state_step_settle(state_step_t *step, state_slot_t *slot)
{
    if (slot->app != NULL && slot->app->is_fresh)
        state_table_settle(&step->table, slot->app);
    settle_list(step, &slot->backends);
    settle_list(step, &slot->domains);
}

/* Nobody frees it as long as it is looked at. */
static void hold_slot(state_slot_t *slot)
{
    slot->olds++;
}

static void release_slot(state_step_t *step, state_slot_t *slot)
{
    slot->olds--;
    state_table_drop_slot(&step->table, slot);
}

/* The next one whose document is to be put; those that wait for their apps are passed over. NULL: there is none. */
static state_slot_t *next_dirty(state_step_t *step)
{
    while (!weir_list_is_empty(&step->table.dirty)) {
        state_slot_t *slot = WEIR_AROUND(step->table.dirty.next, state_slot_t, dirty);
        if (state_slot_is_whole(slot) || slot->is_put)
            return slot;
        weir_list_remove(&slot->dirty);
        hold_slot(slot);
        state_step_settle(step, slot); /* what it has waits for the app */
        release_slot(step, slot);
    }
    return NULL;
}

/* Up to STATE_CHANGES_MOST of them, which are held, and not dirty any more. */
static size_t take_some(state_step_t *step, state_slot_t **slots)
{
    size_t count = 0;

    for (state_slot_t *slot; count < STATE_CHANGES_MOST && (slot = next_dirty(step)) != NULL;) {
        weir_list_remove(&slot->dirty);
        hold_slot(slot);
        step->changes[count] = (state_change_t){
            .app = slot->name, .json = state_slot_is_whole(slot) ? state_compose(&step->table, slot) : NULL, .has_more = true};
        slots[count++] = slot;
    }
    if (count > 0 && next_dirty(step) == NULL)
        step->changes[count - 1].has_more = false;
    return count;
}

/* What a file has brought is none. */
static bool has_new_backend(const state_slot_t *slot)
{
    if (!slot->has_newcomer)
        return false;
    for (const weir_list_t *node = slot->backends.next; node != &slot->backends; node = node->next)
        if (WEIR_AROUND(node, state_object_t, sibling)->is_fresh && !WEIR_AROUND(node, state_object_t, sibling)->is_absent)
            return true;
    return false;
}

/* A router has taken it. Whom suspects have waited for is there, and they go with the next document. */
static void settle_taken(state_step_t *step, state_slot_t *slot)
{
    const bool ends_suspicion = slot->suspects > 0 && has_new_backend(slot);

    state_step_settle(step, slot);
    slot->has_newcomer = false;
    if (ends_suspicion)
        drop_suspects(step, slot);
}

static void put_some(state_step_t *step, state_slot_t **slots, size_t count, uint64_t now_us)
{
    state_slot_t *refused[STATE_CHANGES_MOST];
    size_t refused_count = 0;

    step->apply(step->context, step->changes, count);
    step->applied += count;
    for (size_t i = 0; i < count; i++) {
        const bool is_there = step->changes[i].json != NULL, is_fine = step->changes[i].is_fine || !is_there;
        slots[i]->is_put = is_there; /* refused, it is known all the same */
        free((char *)(uintptr_t)step->changes[i].json);
        if (is_there && is_fine && step->changes[i].why[0] != '\0' && may_tell(step, now_us))
            weir_log("state: app %s of %s: %s", step->changes[i].app, step->prefix, step->changes[i].why);
        if (is_fine)
            settle_taken(step, slots[i]);
        else
            refused[refused_count++] = slots[i];
    }
    for (size_t i = 0; i < refused_count; i++)
        state_blame(step, refused[i], now_us);
    for (size_t i = 0; i < count; i++)
        release_slot(step, slots[i]);
}

void state_step_commit(state_step_t *step, uint64_t now_us)
{
    state_slot_t *slots[STATE_CHANGES_MOST];

    for (size_t count; (count = take_some(step, slots)) > 0;)
        put_some(step, slots, count, now_us);
}

void state_step_withdraw(state_step_t *step)
{
    state_names_walk_t walk = {0};
    size_t count = 0;

    for (state_name_t *name; (name = state_names_next(&step->table.slots, &walk)) != NULL;) {
        state_slot_t *slot = WEIR_AROUND(name, state_slot_t, by_name);
        if (!slot->is_put)
            continue;
        if (count == STATE_CHANGES_MOST) {
            step->apply(step->context, step->changes, count);
            count = 0;
        }
        slot->is_put = false;
        step->changes[count++] = (state_change_t){.app = slot->name, .has_more = true};
    }
    if (count == 0)
        return;
    step->changes[count - 1].has_more = false;
    step->apply(step->context, step->changes, count);
}
