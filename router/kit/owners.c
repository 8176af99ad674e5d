/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "alloc.h"
#include "view.h"

/* For a member that is in the tier no more, or has another weight. */
#define GONE SIZE_MAX

/* Among equal weights the greatest hash has the highest score: one logarithm a class will do. */
static size_t owner_among_all(const kit_view_t *view, const kit_tier_t *tier, uint16_t slot)
{
    double best_score = -1;
    size_t best = tier->first;

    for (const kit_class_t *peers = tier->classes; peers < tier->classes + tier->class_count; peers++) {
        uint64_t most = 0;
        size_t who = peers->first;
        double score;
        for (size_t i = peers->first; i < peers->first + peers->count; i++) {
            uint64_t hash = kit_slot_hash(view->settings.hash_seed, view->id_hashes[i], slot);
            who = hash > most ? i : who;
            most = hash > most ? hash : most;
        }
        score = kit_score_of(most, peers->weight);
        best = score > best_score ? who : best;
        best_score = score > best_score ? score : best_score;
    }
    return best;
}

static double score_at(const kit_view_t *view, size_t index, uint16_t slot)
{
    return kit_score_of(kit_slot_hash(view->settings.hash_seed, view->id_hashes[index], slot), view->weights[index]);
}

/* The owner has been above all that are not new. */
static size_t owner_among_new(const kit_view_t *view, size_t owner, const size_t *newcomers, size_t count, uint16_t slot)
{
    double best_score = count == 0 ? 0 : score_at(view, owner, slot);

    for (size_t i = 0; i < count; i++) {
        double score = score_at(view, newcomers[i], slot);
        owner = score > best_score ? newcomers[i] : owner;
        best_score = score > best_score ? score : best_score;
    }
    return owner;
}

/* < 0: the one of the view before comes first. Of the same id and weight, thus score: 0. */
static int order_of(const kit_view_t *before, size_t old, const kit_view_t *view, size_t new)
{
    if (before->weights[old] != view->weights[new])
        return before->weights[old] > view->weights[new] ? -1 : 1;
    return strcmp(before->members[old]->id, view->members[new]->id);
}

/* Both are in the same order: one pass finds who stayed, and where. Returns how many are new. */
static size_t compare(const kit_view_t *before, const kit_tier_t *old, const kit_view_t *view, const kit_tier_t *tier,
                      size_t *out_stayed, size_t *out_newcomers)
{
    size_t at = tier->first, end = tier->first + tier->count, newcomers = 0;

    for (size_t i = 0; i < old->count; i++) {
        while (at < end && order_of(before, old->first + i, view, at) > 0)
            out_newcomers[newcomers++] = at++;
        out_stayed[i] = at < end && order_of(before, old->first + i, view, at) == 0 ? at++ : GONE;
    }
    while (at < end)
        out_newcomers[newcomers++] = at++;
    return newcomers;
}

static void fill(const kit_view_t *view, kit_tier_t *tier)
{
    for (size_t slot = 0; slot < KIT_SLOTS; slot++)
        tier->owners[slot] = (uint16_t)(owner_among_all(view, tier, (uint16_t)slot) - tier->first);
}

static void follow(const kit_view_t *before, const kit_tier_t *old, const kit_view_t *view, kit_tier_t *tier)
{
    size_t *stayed = kit_alloc(old->count, sizeof(*stayed)), *newcomers = kit_alloc(tier->count, sizeof(*newcomers));
    size_t count = compare(before, old, view, tier, stayed, newcomers);

    for (size_t slot = 0; slot < KIT_SLOTS; slot++) {
        size_t owner = stayed[old->owners[slot]];
        owner = owner == GONE ? owner_among_all(view, tier, (uint16_t)slot)
                              : owner_among_new(view, owner, newcomers, count, (uint16_t)slot);
        tier->owners[slot] = (uint16_t)(owner - tier->first);
    }
    free(stayed);
    free(newcomers);
}

void kit_owners_make(const kit_view_t *view, kit_tier_t *tier, const kit_view_t *before)
{
    tier->owners = kit_alloc(KIT_SLOTS, sizeof(*tier->owners));
    for (size_t i = 0; before != NULL && i < before->tier_count; i++) {
        const kit_tier_t *old = &before->tiers[i];
        if (old->number != tier->number || old->owners == NULL || before->settings.hash_seed != view->settings.hash_seed)
            continue;
        follow(before, old, view, tier);
        return;
    }
    fill(view, tier);
}
