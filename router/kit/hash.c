/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <math.h>
#include <string.h>

#include "weir_digest.h"

/* Keys and ids are hashed apart, so that a key that reads like an id has nothing to do with it. */
enum { OF_KEYS, OF_IDS, SUMS_LAST_US = 1000 };

uint64_t kit_key_of(uint64_t seed, weir_span_t bytes)
{
    return weir_siphash((uint64_t[2]){seed, OF_KEYS}, bytes);
}

uint64_t kit_id_hash(uint64_t seed, const char *id)
{
    return weir_siphash((uint64_t[2]){seed, OF_IDS}, (weir_span_t){id, strlen(id)});
}

uint64_t kit_slot_hash(uint64_t seed, uint64_t id_hash, uint16_t slot)
{
    const char bytes[2] = {(char)(slot & 0xff), (char)(slot >> 8)};

    return weir_siphash((uint64_t[2]){id_hash, seed}, (weir_span_t){bytes, sizeof(bytes)});
}

/* 52 bits, or the greatest u would be rounded to 1. */
double kit_score_of(uint64_t hash, uint32_t weight)
{
    return weight / -log(((double)(hash >> 12) + 0.5) * 0x1p-52);
}

double kit_score(uint64_t seed, uint16_t slot, const char *id, uint32_t weight)
{
    return kit_score_of(kit_slot_hash(seed, kit_id_hash(seed, id), slot), weight);
}

/* What the well ones of the tier have in flight, and weigh. Others will get nothing, and count for nothing. */
static void sum_up(const kit_look_t *look, uint64_t *out_in_flight, uint64_t *out_weight)
{
    *out_in_flight = *out_weight = 0;
    for (size_t i = look->tier->first; i < look->tier->first + look->tier->count; i++) {
        const weir_member_t *member = look->view->members[i];
        if (KIT_READ(member->admin) != KIT_UP || !kit_is_well(member, look->ignores_checks))
            continue;
        *out_in_flight += kit_in_flight(KIT_READ(member->load));
        *out_weight += look->view->weights[i];
    }
}

/*
 * A view with many members is summed up once a millisecond at most, by whoever comes then: its load hardly changes in between,
 * and the sum is needed only for members that have more than KIT_BOUND_LEAST in flight.
 */
static void sum_up_sometimes(const kit_look_t *look, uint64_t *out_in_flight, uint64_t *out_weight)
{
    kit_tier_t *tier = &look->view->tiers[look->tier - look->view->tiers];
    uint64_t now_us = look->wish->now_us;
    int64_t age_us = (int64_t)(now_us - KIT_READ(tier->summed_at_us)); /* < 0: somebody's clock is ahead */

    if (tier->count > KIT_SCAN_MOST && age_us < SUMS_LAST_US) {
        *out_in_flight = KIT_READ(tier->in_flight);
        *out_weight = KIT_READ(tier->well_weight);
        return;
    }
    sum_up(look, out_in_flight, out_weight);
    if (tier->count <= KIT_SCAN_MOST)
        return;
    KIT_WRITE(tier->in_flight, *out_in_flight);
    KIT_WRITE(tier->well_weight, *out_weight);
    KIT_WRITE(tier->summed_at_us, now_us);
}

/* at most max(8, ⌈bound · (F + 1) · w / W⌉) */
bool kit_look_is_within_bound(const kit_look_t *look, size_t index)
{
    uint64_t in_flight = kit_in_flight(KIT_READ(look->view->members[index]->load)), all, weight, most;
    uint64_t percent = look->view->settings.hash_bound_percent;

    if (percent == 0 || in_flight < KIT_BOUND_LEAST)
        return true;
    sum_up_sometimes(look, &all, &weight);
    if (weight == 0)
        return true;
    most = (percent * (all + 1) * look->view->weights[index] + 100 * weight - 1) / (100 * weight);
    return in_flight < most;
}

double kit_look_score(const kit_look_t *look, size_t index)
{
    const kit_view_t *view = look->view;
    uint64_t hash = kit_slot_hash(view->settings.hash_seed, view->id_hashes[index], (uint16_t)(look->wish->key >> 48));

    return kit_score_of(hash, view->weights[index]);
}

/* One pass over the tier. Where nobody is within the bound, it binds nobody. */
static weir_member_t *highest_score(kit_look_t *look, bool is_bounded)
{
    const kit_view_t *view = look->view;
    double best_score = -1, bound_score = -1;
    weir_member_t *best = NULL, *within = NULL;

    for (size_t i = look->tier->first; i < look->tier->first + look->tier->count; i++) {
        weir_member_t *member = view->members[i];
        double score = kit_look_score(look, i);
        if (score <= bound_score || !kit_look_is_usable(look, i))
            continue;
        if (score > best_score) {
            best_score = score;
            best = member;
        }
        if (!is_bounded || kit_look_is_within_bound(look, i)) {
            bound_score = score;
            within = member;
        }
    }
    return within != NULL ? within : best;
}

weir_member_t *kit_draw_by_hash(kit_look_t *look, bool is_bounded)
{
    const kit_tier_t *tier = look->tier;

    if (tier->owners != NULL) {
        size_t owner = tier->first + tier->owners[look->wish->key >> 48];
        if (kit_look_is_usable(look, owner) && (!is_bounded || kit_look_is_within_bound(look, owner)))
            return look->view->members[owner];
    }
    return highest_score(look, is_bounded);
}
