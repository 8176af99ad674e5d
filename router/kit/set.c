/* SPDX-License-Identifier: MIT */
#include "set.h"

#include "alloc.h"
#include "check.h"
#include "instance.h"
#include "pin.h"
#include "queue.h"
#include "wall.h"
#include "weir_retire.h"

enum { WHOLE_PERCENT = 100, US_PER_MS = 1000 };

/* ---- members ---- */

static void free_labels(void *of)
{
    kit_labels_t *labels = of;

    for (size_t i = 0; labels != NULL && i < labels->count; i++) {
        free(labels->at[i].name);
        free(labels->at[i].value);
    }
    free(labels);
}

static void free_member(void *of)
{
    weir_member_t *member = of;

    kit_address_release(atomic_load(&member->address));
    free_labels(atomic_load(&member->labels));
    free(kit_record(member));
    free(kit_trouble(member));
    free(member->zone);
    free(member);
}

static weir_member_t *create_member(const char *id, uint64_t now_us, bool has_started)
{
    const size_t id_bytes = strlen(id) + 1;
    weir_member_t *member = kit_alloc_aligned(_Alignof(weir_member_t), sizeof(*member) + id_bytes);

    member->id = memcpy(member + 1, id, id_bytes);
    atomic_store(&member->joined_at_us, has_started ? now_us : 0);
    return member;
}

static weir_member_t *find_member(weir_member_t **members, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i]->id, id) == 0)
            return members[i];
    return NULL;
}

weir_member_t *kit_set_find(const weir_set_t *set, const char *id)
{
    return find_member(set->members, set->member_count, id);
}

static bool has_labels(const kit_labels_t *labels, const kit_wanted_t *wanted)
{
    if (labels == NULL || labels->count != wanted->label_count)
        return labels == NULL && wanted->label_count == 0;
    for (size_t i = 0; i < labels->count; i++)
        if (strcmp(labels->at[i].name, wanted->labels[i].name) != 0 ||
            strcmp(labels->at[i].value, wanted->labels[i].value) != 0)
            return false;
    return true;
}

/* What readers may look at is retired: they have taken their own hold of it by then, if they keep it. */
static void set_labels(weir_member_t *member, const kit_wanted_t *wanted)
{
    kit_labels_t *labels = NULL;

    if (has_labels(atomic_load(&member->labels), wanted))
        return;
    if (wanted->label_count > 0)
        labels = kit_alloc(1, sizeof(*labels) + wanted->label_count * sizeof(labels->at[0]));
    for (size_t i = 0; i < wanted->label_count; i++, labels->count++) {
        labels->at[i].name = kit_copy(wanted->labels[i].name);
        labels->at[i].value = kit_copy(wanted->labels[i].value);
    }
    kit_labels_t *before = atomic_exchange_explicit(&member->labels, labels, memory_order_acq_rel);
    if (before != NULL)
        weir_retire(before, free_labels);
}

/* A member at a new place is a new one, but for its id: nothing is known of its health. */
static void forget_health(weir_member_t *member, uint64_t now_us)
{
    kit_trouble_t *trouble = kit_trouble(member);

    kit_check_forget(member);
    atomic_store(&member->check, KIT_CHECK_NONE);
    if (trouble != NULL) {
        atomic_store(&trouble->quarantine_times, 0);
        atomic_store(&trouble->ill_since_us, 0);
        atomic_store(&trouble->failures_in_a_row, 0);
        atomic_store(&trouble->connect_failures_in_a_row, 0);
    }
    atomic_store(&member->quarantine, KIT_FREE);
    atomic_store(&member->handicap, 0);
    atomic_store(&member->is_silent, 0);
    atomic_store(&member->joined_at_us, now_us);
}

/* True if it has moved. */
static bool set_address(weir_member_t *member, const kit_wanted_t *wanted, kit_manner_t *manner, uint64_t now_us)
{
    kit_address_t *before = atomic_load(&member->address), *address;
    const char *name = wanted->has_id ? wanted->id : NULL;
    char problem[256];

    if (before != NULL && kit_address_is_as(before, &wanted->place, name, manner))
        return false;
    address = kit_address_create(member, &wanted->place, name, manner, problem, sizeof(problem));
    if (address == NULL)
        return false; /* the configuration was read by the same rules: does not happen */
    atomic_store_explicit(&member->address, address, memory_order_release);
    if (before == NULL)
        return false;
    const bool has_moved = !kit_address_is_at(before, &wanted->place);
    if (has_moved)
        forget_health(member, now_us);
    weir_retire(before, kit_address_release);
    return has_moved;
}

/* ---- the set ---- */

weir_set_t *kit_set_create(struct kit_instance *instance, weir_span_t name)
{
    weir_set_t *set = kit_alloc_aligned(_Alignof(weir_set_t), sizeof(*set) + name.len + 1);

    set->instance = instance;
    memcpy(set->name, name.base, name.len);
    return set;
}

static void free_set(void *of)
{
    weir_set_t *set = of;

    kit_activity_free(kit_activity(set));
    free(set->members);
    free(set->leaving);
    free(set);
}

void kit_set_destroy(weir_set_t *set)
{
    for (size_t i = 0; i < set->member_count; i++) {
        kit_check_forget(set->members[i]);
        weir_retire(set->members[i], free_member);
    }
    for (size_t i = 0; i < set->leaving_count; i++)
        weir_retire(set->leaving[i], free_member);
    if (atomic_load(&set->pins) != NULL)
        weir_retire(atomic_load(&set->pins), free);
    weir_retire(atomic_load(&set->view), kit_view_free);
    weir_retire(atomic_load(&set->settings), kit_settings_release);
    weir_retire(set, free_set);
}

weir_span_t weir_set_name(const weir_set_t *set)
{
    return (weir_span_t){set->name, strlen(set->name)};
}

/* Those who are pinned to it may come a while longer. */
static void leave(weir_set_t *set, weir_member_t *member, uint64_t now_us)
{
    const kit_settings_t *settings = atomic_load(&set->settings);
    const bool is_gone = atomic_load(&member->address)->worker != 0; /* a worker that has left is not there any more */
    const bool drains = settings->affinity.is_on && settings->drain_timeout_ms > 0 && !is_gone;

    kit_check_forget(member);
    atomic_store(&member->admin, drains ? KIT_DRAINING : KIT_OFF);
    kit_trouble_of(member)->drain_until_us = now_us + (uint64_t)settings->drain_timeout_ms * 1000;
    set->leaving = realloc(set->leaving, (set->leaving_count + (size_t)1) * sizeof(set->leaving[0]));
    if (set->leaving == NULL)
        abort();
    set->leaving[set->leaving_count++] = member;
}

/* Pins lead to those that are there, and to those that leave. */
static void publish_pins(weir_set_t *set)
{
    const kit_ring_t *ring = atomic_load(&set->ring);
    kit_pins_t *pins = NULL;

    if (ring != NULL) {
        const uint64_t version = ring->version;
        pins = kit_pins_create(kit_ring_keys(ring), weir_set_name(set), set->members, set->member_count, set->leaving,
                               set->leaving_count);
        pins->version = version;
    }
    pins = atomic_exchange_explicit(&set->pins, pins, memory_order_acq_rel);
    if (pins != NULL)
        weir_retire(pins, free);
}

void kit_set_follow_ring(weir_set_t *set)
{
    const kit_ring_t *ring = atomic_load(&set->ring);
    const kit_pins_t *pins = atomic_load(&set->pins);

    if (ring != NULL && (pins == NULL || ring->version != pins->version))
        publish_pins(set);
}

static bool is_draining(const weir_member_t *member, uint64_t now_us)
{
    const kit_trouble_t *trouble = kit_trouble(member);

    return atomic_load(&member->admin) == KIT_DRAINING && trouble != NULL && now_us < trouble->drain_until_us;
}

size_t kit_set_sweep(weir_set_t *set, uint64_t now_us)
{
    const size_t before = set->leaving_count;
    weir_member_t **gone = kit_alloc(before, sizeof(gone[0]));
    size_t kept = 0, gone_count = 0;
    bool has_any_ended = false; /* to drain: who waits for it, waits for nothing */

    for (size_t i = 0; i < before; i++) {
        weir_member_t *member = set->leaving[i];
        const bool is_over = !is_draining(member, now_us);
        if (is_over)
            has_any_ended = atomic_exchange(&member->admin, KIT_OFF) != KIT_OFF || has_any_ended;
        if (is_over && atomic_load(&member->load) == 0)
            gone[gone_count++] = member;
        else
            set->leaving[kept++] = member;
    }
    set->leaving_count = (uint32_t)kept;
    if (gone_count > 0)
        publish_pins(set);
    if (gone_count > 0 || has_any_ended)
        kit_queue_unpin(set, now_us);
    for (size_t i = 0; i < gone_count; i++)
        weir_retire(gone[i], free_member);
    free(gone);
    return kept;
}

/* One that left and comes back before its last request has ended is the same. */
static weir_member_t *find_again(weir_set_t *set, const char *id)
{
    weir_member_t *member = find_member(set->members, set->member_count, id);

    if (member != NULL)
        return member;
    member = find_member(set->leaving, set->leaving_count, id);
    for (size_t i = 0; member != NULL && i < set->leaving_count; i++) {
        if (set->leaving[i] != member)
            continue;
        set->leaving[i] = set->leaving[--set->leaving_count];
        break;
    }
    return member;
}

/* What is configured, as its agent changes it. */
static void heed_agent(weir_member_t *member)
{
    const kit_checker_t *checker = member->checker;
    const uint32_t percent = checker == NULL ? WHOLE_PERCENT : checker->percent;
    const uint32_t weight = member->own_weight * percent / WHOLE_PERCENT;
    const bool drains = checker != NULL && checker->drains && member->own_admin == KIT_UP;

    member->weight = weight == 0 && percent > 0 && member->own_weight > 0 ? 1 : weight;
    atomic_store(&member->admin, drains ? (uint8_t)KIT_DRAINING : member->own_admin);
}

static void set_zone(weir_member_t *member, const char *zone)
{
    if (kit_is_same_text(member->zone, zone))
        return;
    free(member->zone);
    member->zone = kit_copy(zone);
}

static void set_ramp(weir_member_t *member, const kit_wanted_t *wanted, uint64_t now_us)
{
    kit_trouble_t *trouble = wanted->ramp_ms == 0 ? kit_trouble(member) : kit_trouble_of(member);
    const uint64_t wall_ms = wanted->ramp_ms == 0 ? 0 : kit_wall_ms();
    const uint64_t since_us = wall_ms > wanted->ramp_from_ms ? (wall_ms - wanted->ramp_from_ms) * US_PER_MS : 0;

    if (trouble == NULL)
        return;
    atomic_store_explicit(&trouble->ramp_from_us, now_us > since_us ? now_us - since_us : 0, memory_order_relaxed);
    atomic_store_explicit(&trouble->ramp_ms, wanted->ramp_ms, memory_order_release);
}

static bool is_paused(const kit_wanted_t *wanted)
{
    return wanted->place.worker != 0 && wanted->capacity == 0;
}

static uint32_t limit_of(const kit_wanted_t *wanted, const kit_settings_t *settings)
{
    const uint32_t said = wanted->request_limit != 0 ? wanted->request_limit : settings->max_requests;

    if (wanted->place.worker == 0)
        return said;
    return said != 0 && said < wanted->capacity ? said : wanted->capacity;
}

static weir_member_t *put_in_force(weir_set_t *set, const kit_wanted_t *wanted, const kit_settings_t *settings,
                                   kit_manner_t *manner, bool is_alone, uint64_t now_us)
{
    weir_member_t *member = find_again(set, wanted->id);
    const bool is_new = member == NULL;

    if (is_new)
        member = create_member(wanted->id, now_us, set->is_started);
    else if (atomic_load(&member->admin) == KIT_OFF && wanted->admin == KIT_UP && wanted->place.worker == 0)
        atomic_store(&member->joined_at_us, now_us);
    member->own_weight = (uint16_t)wanted->weight;
    member->own_admin = (uint8_t)(is_paused(wanted) ? KIT_OFF : wanted->admin);
    member->tier = wanted->tier;
    set_zone(member, wanted->zone);
    set_ramp(member, wanted, now_us);
    set_labels(member, wanted);
    const bool has_moved = set_address(member, wanted, manner, now_us);
    atomic_store(&member->request_limit, limit_of(wanted, settings));
    atomic_store(&member->tunnel_limit, settings->max_tunnels);
    /* One that was there serves on until its check says otherwise; and one that is alone no check takes out. */
    kit_check_follow(set, settings, member, wanted->check_path, is_alone || (!is_new && !has_moved), now_us);
    heed_agent(member);
    return member;
}

static void publish_view(weir_set_t *set, const kit_settings_t *settings, const char *zone)
{
    kit_view_t *present = atomic_load_explicit(&set->view, memory_order_acquire);
    kit_view_t *view = kit_view_create_after(present, &settings->choice, set->members, set->member_count, zone);

    atomic_store_explicit(&set->view, view, memory_order_release);
    if (present != NULL)
        weir_retire(present, kit_view_free);
}

static void publish(weir_set_t *set, kit_settings_t *settings, const char *zone)
{
    publish_view(set, settings, zone);
    kit_settings_t *before = atomic_exchange_explicit(&set->settings, settings, memory_order_acq_rel);
    if (before != NULL)
        weir_retire(before, kit_settings_release);
}

void kit_set_heed(weir_set_t *set, weir_member_t *member, uint64_t now_us)
{
    const struct weir_kit *kit = set->instance->started;

    heed_agent(member);
    publish_view(set, atomic_load(&set->settings), kit == NULL ? NULL : kit->zone);
    kit_queue_kick(set, now_us, false);
}

void kit_set_apply(weir_set_t *set, kit_settings_t *settings, kit_ring_t *ring, kit_manner_t *manner,
                   const kit_wanted_t *wanted, size_t count, const char *zone, uint64_t now_us)
{
    weir_member_t **before = set->members, **members = kit_alloc(count, sizeof(members[0]));
    size_t before_count = set->member_count;

    for (size_t i = 0; i < count; i++)
        members[i] = put_in_force(set, &wanted[i], settings, manner, count == 1, now_us);
    set->members = members;
    set->member_count = (uint32_t)count;
    publish(set, settings, zone);
    for (size_t i = 0; i < before_count; i++) /* who has an older view looks again when nobody will do */
        if (find_member(members, count, before[i]->id) == NULL)
            leave(set, before[i], now_us);
    free(before);
    atomic_store_explicit(&set->ring, ring, memory_order_release);
    publish_pins(set);
    set->is_started = true;
    (void)kit_set_sweep(set, now_us);
    kit_queue_kick(set, now_us, false);
}
