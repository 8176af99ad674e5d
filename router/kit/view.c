/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <string.h>

#include "alloc.h"

/* A schedule's entry before its order is known. */
typedef struct turn {
    double at; /* 0 … 1 */
    uint16_t member;
} turn_t;

static int by_tier_weight_id(const void *left, const void *right)
{
    const weir_member_t *a = *(weir_member_t *const *)left, *b = *(weir_member_t *const *)right;

    if (a->tier != b->tier)
        return a->tier < b->tier ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int by_time(const void *left, const void *right)
{
    const turn_t *a = left, *b = right;

    if (a->at < b->at || a->at > b->at)
        return a->at < b->at ? -1 : 1;
    return (a->member > b->member) - (a->member < b->member);
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static size_t turns_of(const kit_class_t *peers, double scale)
{
    size_t turns = (size_t)(peers->weight * scale + 0.5);

    return turns == 0 ? 1 : turns;
}

static size_t count_turns(const kit_tier_t *tier, double scale)
{
    size_t count = 0;

    for (size_t i = 0; i < tier->class_count; i++)
        count += tier->classes[i].count * turns_of(&tier->classes[i], scale);
    return count;
}

/* All of a class get the same number, so equal ones stay equal however coarse it is. */
static double scale_of(const kit_tier_t *tier)
{
    uint64_t divisor = tier->classes[0].weight;
    double scale;

    for (size_t i = 1; i < tier->class_count; i++)
        divisor = greatest_common_divisor(tier->classes[i].weight, divisor);
    scale = 1.0 / (double)divisor;
    if (count_turns(tier, scale) <= KIT_SCHEDULE_MOST)
        return scale;
    scale = (double)KIT_SCHEDULE_MOST / (double)tier->weight;
    while (count_turns(tier, scale) > KIT_SCHEDULE_MOST)
        scale *= 0.99;
    return scale;
}

/* Everybody's turns lie as far from each other as can be. */
static void make_turns(kit_tier_t *tier)
{
    double scale;
    turn_t *turns;
    size_t filled = 0;

    tier->has_turns = tier->class_count == 1 || tier->count <= KIT_SCHEDULE_MOST;
    tier->turn_count = tier->count;
    if (tier->class_count == 1 || !tier->has_turns)
        return;
    scale = scale_of(tier);
    tier->turn_count = count_turns(tier, scale);
    turns = kit_alloc(tier->turn_count, sizeof(*turns));
    for (size_t i = 0; i < tier->class_count; i++) {
        const kit_class_t *peers = &tier->classes[i];
        size_t of_each = turns_of(peers, scale);
        for (size_t k = 0; k < of_each * peers->count; k++) {
            size_t round = k / peers->count, who = peers->first - tier->first + k % peers->count;
            turns[filled++] = (turn_t){.at = ((double)round + 0.5) / (double)of_each, .member = (uint16_t)who};
        }
    }
    qsort(turns, filled, sizeof(*turns), by_time);
    tier->turns = kit_alloc(filled, sizeof(*tier->turns));
    for (size_t i = 0; i < filled; i++)
        tier->turns[i] = turns[i].member;
    free(turns);
}

/* `classes` has room for them. */
static void make_classes(const kit_view_t *view, kit_tier_t *tier, kit_class_t *classes)
{
    const uint32_t *weights = view->weights + tier->first;
    kit_class_t *peers = classes;

    for (size_t i = 0; i < tier->count; i++) {
        if (i > 0 && weights[i] != weights[i - 1])
            peers++;
        if (peers->count++ == 0) {
            peers->first = tier->first + i;
            peers->weight = weights[i];
        }
        tier->weight += weights[i];
        peers->until = tier->weight;
    }
    tier->classes = classes;
    tier->class_count = (size_t)(peers - classes) + 1;
}

static void make_tiers(kit_view_t *view, kit_class_t *classes, const kit_view_t *before)
{
    for (size_t i = 0, at = 0; i < view->tier_count; i++) {
        kit_tier_t *tier = &view->tiers[i];
        tier->first = at;
        tier->number = view->members[at]->tier;
        while (at < view->count && view->members[at]->tier == tier->number)
            at++;
        tier->count = at - tier->first;
        make_classes(view, tier, classes);
        classes += tier->class_count;
        view->weight += tier->weight;
        if (view->settings.balance == KIT_ROUND_ROBIN)
            make_turns(tier);
        if (view->settings.balance == KIT_HASH && tier->count > KIT_SCAN_MOST && tier->count <= KIT_SLOTS)
            kit_owners_make(view, tier, before);
    }
}

/* Those that are in it, in its order; the rest of `out` is not touched. */
static size_t put_in_order(weir_member_t *const *members, size_t count, weir_member_t **out)
{
    size_t taken = 0;

    for (size_t i = 0; i < count; i++) {
        if (KIT_READ(members[i]->admin) == KIT_UP && members[i]->weight > 0)
            out[taken++] = members[i];
    }
    qsort(out, taken, sizeof(out[0]), by_tier_weight_id);
    return taken;
}

static size_t count_classes(weir_member_t *const *members, size_t count, size_t *out_tiers)
{
    size_t classes = 0;

    *out_tiers = 0;
    for (size_t i = 0; i < count; i++) {
        const bool is_new_tier = i == 0 || members[i]->tier != members[i - 1]->tier;
        *out_tiers += is_new_tier;
        classes += is_new_tier || members[i]->weight != members[i - 1]->weight;
    }
    return classes;
}

/* Cuts so many bytes, of whatever type, off what lies behind the view. */
static void *cut(char **rest, size_t bytes)
{
    void *piece = *rest;

    *rest += (bytes + 7) / 8 * 8;
    return piece;
}

/* One block of memory for all of it: there are many views, and a request reads most of one. */
static kit_view_t *create(weir_member_t *const *members, size_t count, kit_class_t **out_classes)
{
    size_t tier_count, class_count = count_classes(members, count, &tier_count);
    const size_t of_each = sizeof(weir_member_t *) + sizeof(uint64_t) + sizeof(uint32_t) + sizeof(uint8_t);
    kit_view_t *view = kit_alloc(1, sizeof(*view) + sizeof(kit_lately_t) + tier_count * sizeof(kit_tier_t) +
                                        class_count * sizeof(kit_class_t) + count * of_each + UINT64_C(2) * 8);
    char *rest = (char *)(view + 1);

    view->count = count;
    view->tier_count = tier_count;
    view->lately = cut(&rest, sizeof(*view->lately));
    view->tiers = cut(&rest, tier_count * sizeof(*view->tiers));
    *out_classes = cut(&rest, class_count * sizeof(**out_classes));
    view->members = cut(&rest, count * sizeof(view->members[0]));
    view->id_hashes = cut(&rest, count * sizeof(view->id_hashes[0]));
    view->weights = cut(&rest, count * sizeof(view->weights[0]));
    view->zone_handicaps = cut(&rest, count * sizeof(view->zone_handicaps[0]));
    for (size_t i = 0; i < count; i++)
        view->members[i] = members[i];
    return view;
}

kit_view_t *kit_view_create_after(const kit_view_t *before, const kit_choice_settings_t *settings,
                                  weir_member_t *const *members, size_t count, const char *zone)
{
    weir_member_t **in_order = kit_alloc(count, sizeof(in_order[0]));
    kit_class_t *classes;
    kit_view_t *view = create(in_order, put_in_order(members, count, in_order), &classes);
    uint64_t last_joined_us = 0;

    free(in_order);
    view->settings = *settings;
    for (size_t i = 0; i < view->count; i++) {
        const weir_member_t *member = view->members[i];
        uint64_t joined_at_us = KIT_READ(member->joined_at_us);
        view->weights[i] = member->weight;
        if (zone != NULL && member->zone != NULL && strcmp(zone, member->zone) != 0)
            view->zone_handicaps[i] = (uint8_t)settings->zone_handicap;
        view->id_hashes[i] = kit_id_hash(settings->hash_seed, member->id);
        last_joined_us = joined_at_us > last_joined_us ? joined_at_us : last_joined_us;
    }
    make_tiers(view, classes, before);
    kit_view_refresh(view, last_joined_us);
    return view;
}

kit_view_t *kit_view_create(const kit_choice_settings_t *settings, weir_member_t *const *members, size_t count,
                            const char *zone)
{
    return kit_view_create_after(NULL, settings, members, count, zone);
}

void kit_view_free(void *view)
{
    kit_view_t *made = view;

    if (made == NULL)
        return;
    for (size_t i = 0; i < made->tier_count; i++) {
        free(made->tiers[i].turns);
        free(made->tiers[i].owners);
    }
    free(made);
}

enum { LINE_BYTES = 64, FETCHED_LINES = 6 };

void kit_view_fetch(const kit_view_t *view)
{
    const char *line = (const char *)view;

    for (size_t i = 0; i < FETCHED_LINES; i++)
        __builtin_prefetch(line + i * LINE_BYTES);
}

size_t kit_view_count(const kit_view_t *view)
{
    return view->count;
}

static uint64_t ramp_end_us(const kit_view_t *view, const weir_member_t *member)
{
    uint64_t joined_at_us = KIT_READ(member->joined_at_us);

    return joined_at_us == 0 ? 0 : joined_at_us + view->settings.slow_start_ms * UINT64_C(1000);
}

static void refresh_ramps(const kit_view_t *view, kit_tier_t *tier, uint64_t now_us)
{
    uint64_t weight = 0, until_us = 0;

    for (size_t i = tier->first; i < tier->first + tier->count; i++) {
        uint64_t end_us = ramp_end_us(view, view->members[i]);
        if (end_us <= now_us)
            continue;
        weight += view->weights[i];
        until_us = end_us > until_us ? end_us : until_us;
    }
    KIT_WRITE(tier->ramping_weight, weight);
    KIT_WRITE(tier->ramps_until_us, until_us);
}

void kit_view_refresh(const kit_view_t *view, uint64_t now_us)
{
    uint64_t well_weight = 0, failed_weight = 0;
    size_t trial = 0;

    for (size_t i = 0; i < view->count; i++) {
        const weir_member_t *member = view->members[i];
        uint8_t check = KIT_READ(member->check);
        well_weight += check != KIT_CHECK_FAILED ? view->weights[i] : 0; /* who has not spoken may be well */
        failed_weight += check == KIT_CHECK_FAILED ? view->weights[i] : 0;
        if (trial == 0 && KIT_READ(member->quarantine) == KIT_TRIAL && KIT_READ(member->has_trial) == 0)
            trial = i + 1;
    }
    KIT_WRITE(view->lately->well_weight, well_weight);
    KIT_WRITE(view->lately->failed_weight, failed_weight);
    KIT_WRITE(view->lately->trial, trial);
    for (size_t i = 0; i < view->tier_count && view->settings.slow_start_ms > 0; i++)
        refresh_ramps(view, &view->tiers[i], now_us);
}

bool kit_is_panic(const kit_view_t *view)
{
    return KIT_READ(view->lately->failed_weight) > 0 &&
           KIT_READ(view->lately->well_weight) * 100 < view->settings.panic_percent * view->weight;
}

bool kit_tier_has_ramps(const kit_view_t *view, const kit_tier_t *tier, uint64_t now_us)
{
    return view->settings.slow_start_ms > 0 && now_us < KIT_READ(tier->ramps_until_us) &&
           KIT_READ(tier->ramping_weight) * 2 <= tier->weight;
}

uint32_t kit_ramp_share(const kit_view_t *view, const weir_member_t *member, uint64_t now_us)
{
    uint64_t end_us = ramp_end_us(view, member), left_us, whole_us = view->settings.slow_start_ms * UINT64_C(1000);

    if (now_us >= end_us)
        return KIT_FULL_SHARE;
    left_us = end_us - now_us;
    left_us = left_us > whole_us ? whole_us : left_us;
    return (uint32_t)(KIT_FULL_SHARE - left_us * KIT_RAMPED_SHARE / whole_us);
}

uint32_t kit_limit_of(const kit_view_t *view, const weir_member_t *member, bool has_ramps, uint64_t now_us)
{
    uint32_t limit = KIT_READ(member->request_limit), ramped;

    if (limit == 0 || !has_ramps)
        return limit;
    ramped = (uint32_t)((uint64_t)limit * kit_ramp_share(view, member, now_us) / KIT_FULL_SHARE);
    return ramped == 0 ? 1 : ramped;
}

uint32_t kit_request_limit(const kit_view_t *view, const weir_member_t *member, uint64_t now_us)
{
    const kit_tier_t *tier = view->tiers, *end = view->tiers + view->tier_count;

    while (tier < end && tier->number != member->tier)
        tier++;
    return kit_limit_of(view, member, tier < end && kit_tier_has_ramps(view, tier, now_us), now_us);
}

weir_member_t *kit_view_member(const kit_view_t *view, size_t index)
{
    return view->members[index];
}

unsigned kit_view_tier(const kit_view_t *view, size_t index)
{
    const kit_tier_t *tier = view->tiers;

    while (index >= tier->first + tier->count)
        tier++;
    return tier->number;
}
