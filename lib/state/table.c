/* SPDX-License-Identifier: MIT */
#include "lib/state/table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "weir_span.h"

const char *const state_kind_words[STATE_KINDS] = {"apps", "backends", "domains", "config", "certs", "meta"};

static state_object_t *object_of(const state_name_t *name)
{
    return WEIR_AROUND(name, state_object_t, by_key);
}

static state_slot_t *slot_of(const state_name_t *name)
{
    return WEIR_AROUND(name, state_slot_t, by_name);
}

static weir_span_t key_text(const state_name_t *name)
{
    return state_object_key(object_of(name));
}

static weir_span_t slot_text(const state_name_t *name)
{
    const state_slot_t *slot = slot_of(name);

    return (weir_span_t){slot->name, slot->name_length};
}

weir_span_t state_object_rest(const state_object_t *object)
{
    const weir_span_t key = state_object_key(object);
    size_t skipped = strlen(state_kind_words[object->kind]);

    skipped += skipped < key.len; /* the slash; "meta" has none */
    if (object->kind == STATE_BACKEND)
        skipped += object->slot->name_length + 1U;
    return (weir_span_t){key.base + skipped, key.len - skipped};
}

void state_table_init(state_table_t *table)
{
    *table = (state_table_t){0};
    weir_pieces_init(&table->pieces);
    state_names_init(&table->objects, key_text);
    state_names_init(&table->slots, slot_text);
    weir_list_init(&table->dirty);
}

static size_t bytes_of_slot(size_t name_length)
{
    const size_t bytes = offsetof(state_slot_t, name) + name_length + 1;

    return bytes < sizeof(state_slot_t) ? sizeof(state_slot_t) : bytes;
}

static size_t bytes_of_object(size_t key_length, size_t value_length)
{
    const size_t bytes = offsetof(state_object_t, bytes) + key_length + value_length + 2;

    return bytes < sizeof(state_object_t) ? sizeof(state_object_t) : bytes;
}

static void free_slot(state_table_t *table, state_slot_t *slot)
{
    free(slot->losses);
    weir_pieces_give(&table->pieces, slot, bytes_of_slot(slot->name_length));
}

static void free_object(state_table_t *table, state_object_t *object)
{
    if (object != NULL)
        weir_pieces_give(&table->pieces, object, bytes_of_object(object->key_length, object->value_length));
}

void state_table_dispose(state_table_t *table)
{
    state_names_walk_t walk = {0};

    while (!weir_pieces_go_at_once(&table->pieces)) {
        state_name_t *name = state_names_next(&table->objects, &walk);
        if (name == NULL)
            break;
        free_object(table, object_of(name)->old);
        free_object(table, object_of(name));
    }
    walk = (state_names_walk_t){0};
    for (state_name_t *name; (name = state_names_next(&table->slots, &walk)) != NULL;)
        free_slot(table, slot_of(name));
    weir_pieces_finish(&table->pieces);
    state_names_dispose(&table->objects);
    state_names_dispose(&table->slots);
}

void state_table_expect(state_table_t *table, size_t keys)
{
    state_names_expect(&table->objects, keys);
}

void state_table_prefetch(const state_table_t *table, weir_span_t key)
{
    state_names_prefetch(&table->objects, key);
}

state_object_t *state_table_find(const state_table_t *table, weir_span_t key)
{
    state_name_t *name = state_names_find(&table->objects, key);

    return name == NULL ? NULL : object_of(name);
}

state_slot_t *state_table_slot(const state_table_t *table, weir_span_t text)
{
    state_name_t *name = state_names_find(&table->slots, text);

    return name == NULL ? NULL : slot_of(name);
}

/* ---- slots ---- */

static state_slot_t *slot_for(state_table_t *table, const state_said_t *said)
{
    state_slot_t *slot = table->last_slot;

    if (slot != NULL && slot->name_length == said->slot.len && memcmp(slot->name, said->slot.base, said->slot.len) == 0)
        return slot;
    slot = table->last_slot = state_table_slot(table, said->slot);
    if (slot != NULL)
        return slot;
    slot = weir_pieces_take(&table->pieces, bytes_of_slot(said->slot.len));
    *slot = (state_slot_t){0};
    memcpy(slot->name, said->slot.base, said->slot.len);
    slot->name[said->slot.len] = '\0';
    slot->name_length = (uint16_t)said->slot.len;
    slot->is_redirect = said->is_redirect;
    weir_list_init(&slot->backends);
    weir_list_init(&slot->domains);
    weir_list_init(&slot->dirty);
    state_names_add(&table->slots, &slot->by_name);
    table->last_slot = slot;
    return slot;
}

void state_table_touch(state_table_t *table, state_slot_t *slot)
{
    if (weir_list_is_empty(&slot->dirty))
        weir_list_append(&table->dirty, &slot->dirty);
}

void state_table_drop_slot(state_table_t *table, state_slot_t *slot)
{
    if (slot->app != NULL || slot->backend_count > 0 || slot->domain_count > 0 || slot->olds > 0 || slot->is_put ||
        !weir_list_is_empty(&slot->dirty))
        return;
    state_names_remove(&table->slots, &slot->by_name);
    if (table->last_slot == slot)
        table->last_slot = NULL;
    free_slot(table, slot);
}

/* Who gets a domain is put before who loses it, so that it is somebody's all the time. */
static void touch_first(state_table_t *table, state_slot_t *slot)
{
    weir_list_remove(&slot->dirty);
    weir_list_prepend(&table->dirty, &slot->dirty);
}

bool state_slot_is_whole(const state_slot_t *slot)
{
    return slot->is_redirect ? slot->domain_count > 0 : slot->app != NULL;
}

/* ---- objects ---- */

static void count(state_table_t *table, const state_object_t *object, int by)
{
    table->counts[object->kind] += (size_t)by;
    table->absent[object->kind] += object->is_absent ? (size_t)by : 0;
}

static void join(state_table_t *table, state_object_t *object)
{
    state_slot_t *slot = object->slot;

    count(table, object, 1);
    if (object->kind == STATE_CONFIG && weir_span_is(state_object_rest(object), "defaults"))
        table->defaults = object;
    if (slot == NULL)
        return;
    state_table_touch(table, slot);
    if (object->kind == STATE_APP) {
        slot->app = object;
        return;
    }
    weir_list_append(object->kind == STATE_DOMAIN ? &slot->domains : &slot->backends, &object->sibling);
    slot->domain_count += object->kind == STATE_DOMAIN;
    slot->backend_count += object->kind == STATE_BACKEND;
    slot->suspects += object->is_suspect;
}

static void leave(state_table_t *table, state_object_t *object)
{
    state_slot_t *slot = object->slot;

    count(table, object, -1);
    if (table->defaults == object)
        table->defaults = NULL;
    if (slot == NULL)
        return;
    state_table_touch(table, slot);
    if (object->kind == STATE_APP) {
        slot->app = NULL;
        return;
    }
    weir_list_remove(&object->sibling);
    slot->domain_count -= object->kind == STATE_DOMAIN;
    slot->backend_count -= object->kind == STATE_BACKEND;
    slot->suspects -= object->is_suspect;
}

static void swap_in(state_table_t *table, state_object_t *object)
{
    state_names_add_by(&table->objects, &object->by_key, object->by_key.hash);
    join(table, object);
}

static void swap_out(state_table_t *table, state_object_t *object)
{
    state_names_remove(&table->objects, &object->by_key);
    leave(table, object);
}

static state_object_t *create(state_table_t *table, const state_said_t *said, uint64_t hash)
{
    state_object_t *object = weir_pieces_take(&table->pieces, bytes_of_object(said->key.len, said->value.len));

    *object = (state_object_t){
        .by_key.hash = hash,
        .mod_revision = said->mod_revision,
        .value_length = (uint32_t)said->value.len,
        .key_length = (uint16_t)said->key.len,
        .kind = (uint8_t)said->kind,
        .is_fresh = true,
        .is_seen = true,
        .has_lease = said->has_lease,
    };
    memcpy(object->bytes, said->key.base, said->key.len);
    object->bytes[said->key.len] = '\0';
    if (said->value.len > 0)
        memcpy(object->bytes + said->key.len + 1, said->value.base, said->value.len);
    object->bytes[said->key.len + 1 + said->value.len] = '\0';
    weir_list_init(&object->sibling);
    return object;
}

/* What the key said before the step. */
static void free_old(state_table_t *table, state_object_t *object)
{
    state_object_t *old = object->old;
    state_slot_t *slot = old == NULL ? NULL : old->slot;

    object->old = NULL;
    free_object(table, old);
    if (slot == NULL)
        return;
    slot->olds--;
    state_table_drop_slot(table, slot);
}

static void count_old(const state_object_t *object, int by)
{
    if (object->old != NULL && object->old->slot != NULL)
        object->old->slot->olds += (uint32_t)by;
}

state_object_t *state_table_set(state_table_t *table, const state_said_t *said)
{
    const uint64_t hash = state_names_hash(&table->objects, said->key);
    state_name_t *name = state_names_find_by(&table->objects, said->key, hash);
    state_object_t *before = name == NULL ? NULL : object_of(name), *object = create(table, said, hash);

    if (said->slot.len > 0)
        object->slot = slot_for(table, said);
    if (before != NULL) {
        swap_out(table, before);
        if (object->kind == STATE_DOMAIN && object->slot != NULL && before->slot != object->slot)
            touch_first(table, object->slot);
        /* what was before the step counts, not what was in the middle of it */
        object->old = before->is_fresh ? before->old : before;
        if (before->is_fresh)
            free_object(table, before);
        else
            count_old(object, 1);
    }
    swap_in(table, object);
    return object;
}

void state_table_remove(state_table_t *table, state_object_t *object)
{
    swap_out(table, object);
    free_old(table, object);
    free_object(table, object);
}

void state_table_take_back(state_table_t *table, state_object_t *fresh)
{
    swap_out(table, fresh);
    count_old(fresh, -1);
    if (fresh->old != NULL)
        swap_in(table, fresh->old);
}

void state_table_take_again(state_table_t *table, state_object_t *fresh)
{
    if (fresh->old != NULL)
        swap_out(table, fresh->old);
    count_old(fresh, 1);
    swap_in(table, fresh);
}

void state_table_settle(state_table_t *table, state_object_t *fresh)
{
    free_old(table, fresh);
    fresh->is_fresh = false;
}

void state_table_discard(state_table_t *table, state_object_t *fresh)
{
    free_object(table, fresh);
}

void state_table_hold(state_table_t *table, state_object_t *object, bool is_suspect)
{
    if (object->is_absent)
        return;
    object->is_absent = true;
    object->is_suspect = is_suspect;
    table->absent[object->kind]++;
    if (is_suspect)
        object->slot->suspects++;
}

void state_table_release(state_table_t *table, state_object_t *object)
{
    if (!object->is_absent)
        return;
    if (object->is_suspect)
        object->slot->suspects--;
    object->is_absent = object->is_suspect = false;
    table->absent[object->kind]--;
}
