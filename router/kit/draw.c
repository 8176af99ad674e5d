/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <stdio.h>

/* SHUFFLED: classes of no more are drawn from without looking at anybody twice; DRAWS: from larger ones, before all are. */
enum { SHUFFLED = 64, DRAWS = 4 * KIT_CHOICES_MOST, EXPLORED_ONE_IN = 32 };

/* The candidates of one request, and the cheapest of them. */
typedef struct hand {
    size_t count;
    bool takes_first;
    weir_member_t *best;
    uint64_t least_cost;
} hand_t;

static inline __attribute__((always_inline)) uint64_t cost_of(const weir_member_t *member, unsigned zone_handicap,
                                                              bool is_upgrade)
{
    uint64_t load = KIT_READ(member->load), eighths;
    uint32_t waiting = kit_waiting(load), in_flight = kit_in_flight(load);

    if (is_upgrade)
        eighths = 8 * ((uint64_t)kit_tunnels(load) + waiting);
    else
        eighths = 8 * (uint64_t)waiting + (in_flight > waiting ? in_flight - waiting : 0);
    return (eighths + 8) << (KIT_READ(member->handicap) + zone_handicap);
}

uint64_t kit_cost_eighths(const weir_member_t *member, unsigned zone_handicap, bool is_upgrade)
{
    return cost_of(member, zone_handicap, is_upgrade);
}

static void remember(kit_drawn_t *drawn, const weir_member_t *member)
{
    if (drawn->count == KIT_CHOICES_MOST)
        return;
    snprintf(drawn->at[drawn->count].id, KIT_DRAWN_ID_BYTES, "%s", member->id);
    drawn->at[drawn->count].in_flight = kit_in_flight(KIT_READ(member->load));
    drawn->at[drawn->count++].handicap = KIT_READ(member->handicap);
}

/* A first one that is taken whatever it costs may yet be silent: that costs a request. */
static void put(const kit_look_t *look, hand_t *hand, size_t index)
{
    weir_member_t *member = look->view->members[index];
    uint64_t cost = cost_of(member, look->view->zone_handicaps[index], look->wish->is_upgrade);

    if (look->wish->drawn != NULL)
        remember(look->wish->drawn, member);
    if (hand->count++ == 0) {
        hand->best = member;
        hand->least_cost = cost;
        hand->takes_first = hand->takes_first && KIT_READ(member->is_silent) == 0;
        return;
    }
    if (hand->takes_first || cost >= hand->least_cost)
        return;
    hand->best = member;
    hand->least_cost = cost;
}

static void shuffle(kit_look_t *look, const kit_class_t *peers, size_t most, hand_t *hand)
{
    uint8_t order[SHUFFLED];

    for (size_t i = 0; i < peers->count; i++)
        order[i] = (uint8_t)i;
    for (size_t i = 0; i < peers->count && hand->count < most; i++) {
        size_t at = i + kit_dice_below(look->wish, peers->count - i);
        uint8_t drawn = order[at];
        order[at] = order[i];
        if (kit_look_may_draw(look, peers->first + drawn))
            put(look, hand, peers->first + drawn);
        if (hand->takes_first && hand->count > 0)
            return;
    }
}

static void toss(kit_look_t *look, const kit_class_t *peers, size_t most, hand_t *hand)
{
    size_t drawn[DRAWS];

    for (size_t i = 0; i < DRAWS && hand->count < most; i++) {
        size_t k = 0;
        drawn[i] = peers->first + kit_dice_below(look->wish, peers->count);
        while (drawn[k] != drawn[i])
            k++;
        if (k == i && kit_look_may_draw(look, drawn[i]))
            put(look, hand, drawn[i]);
        if (hand->takes_first && hand->count > 0)
            return;
    }
}

/* `most` candidates from a random start on. */
static void walk(kit_look_t *look, const kit_class_t *peers, size_t most, hand_t *hand)
{
    size_t start = kit_dice_below(look->wish, peers->count);

    for (size_t i = 0; i < peers->count && hand->count < most; i++) {
        size_t index = peers->first + (start + i < peers->count ? start + i : start + i - peers->count);
        if (kit_look_may_draw(look, index))
            put(look, hand, index);
    }
}

static weir_member_t *of_class(kit_look_t *look, const kit_class_t *peers, kit_balance_t balance)
{
    size_t most = balance == KIT_BEST ? look->view->settings.choices : 1;
    hand_t hand = {0};

    if (peers->count == 1) { /* no dice are needed */
        if (kit_look_may_draw(look, peers->first))
            put(look, &hand, peers->first);
        return hand.best;
    }
    if (balance == KIT_LEAST) {
        walk(look, peers, peers->count, &hand);
        return hand.best;
    }
    hand.takes_first = balance == KIT_BEST && kit_dice_below(look->wish, EXPLORED_ONE_IN) == 0;
    if (peers->count <= SHUFFLED) {
        shuffle(look, peers, most, &hand);
        return hand.best;
    }
    toss(look, peers, most, &hand);
    if (hand.count == 0)
        walk(look, peers, 1, &hand);
    return hand.best;
}

static const kit_class_t *draw_class(const kit_look_t *look)
{
    const kit_class_t *low = look->tier->classes, *high = low + look->tier->class_count - 1;
    uint64_t drawn;

    if (low == high)
        return low;
    drawn = look->wish->dice(look->wish->dice_context) % look->tier->weight;
    while (low < high) {
        const kit_class_t *middle = low + (high - low) / 2;
        if (middle->until <= drawn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_usable(kit_look_t *look, const kit_class_t *peers)
{
    for (size_t i = peers->first; i < peers->first + peers->count; i++) {
        if (kit_look_is_usable(look, i))
            return true;
    }
    return false;
}

/* One pass over the classes with a usable member draws as if it were known beforehand which ones those are. */
static const kit_class_t *draw_other_class(kit_look_t *look, const kit_class_t *left_out)
{
    const kit_class_t *classes = look->tier->classes, *drawn = NULL;
    uint64_t weight = 0;

    for (size_t i = 0; i < look->tier->class_count; i++) {
        uint64_t own = classes[i].weight * (uint64_t)classes[i].count;
        if (&classes[i] == left_out || !has_usable(look, &classes[i]))
            continue;
        weight += own;
        if (look->wish->dice(look->wish->dice_context) % weight < own)
            drawn = &classes[i];
    }
    return drawn;
}

weir_member_t *kit_draw_by_class(kit_look_t *look, kit_balance_t balance)
{
    const kit_class_t *peers = draw_class(look);
    weir_member_t *member = of_class(look, peers, balance);

    if (member != NULL)
        return member;
    peers = draw_other_class(look, peers);
    if (peers != NULL)
        member = of_class(look, peers, balance);
    return member != NULL ? member : look->spare;
}

static size_t whose_turn(const kit_tier_t *tier, size_t at)
{
    return tier->first + (tier->turns == NULL ? at : tier->turns[at]);
}

/* The next one in order from `at` on, or, if so wished, nobody once a ramp has let somebody down. */
static weir_member_t *next_in_turn(kit_look_t *look, size_t at, bool stops_at_ramps)
{
    const kit_tier_t *tier = look->tier;

    for (size_t i = 0; i < tier->turn_count && !(stops_at_ramps && look->spare != NULL); i++) {
        size_t index = whose_turn(tier, at);
        if (kit_look_may_draw(look, index))
            return look->view->members[index];
        at = at + 1 < tier->turn_count ? at + 1 : 0;
    }
    return NULL;
}

/* A turn that is not the spare one's, as a rule. */
static size_t other_turn(const kit_look_t *look)
{
    size_t at = 0;

    for (int i = 0; i < DRAWS; i++) {
        at = kit_dice_below(look->wish, look->tier->turn_count);
        if (look->view->members[whose_turn(look->tier, at)] != look->spare)
            break;
    }
    return at;
}

/* Whose ramp does not let it take its turn passes it to anyone, else its neighbour would get all of that. */
weir_member_t *kit_draw_by_turn(kit_look_t *look)
{
    weir_member_t *member = next_in_turn(look, look->wish->ticket % look->tier->turn_count, true);

    if (member == NULL && look->spare != NULL)
        member = next_in_turn(look, other_turn(look), false);
    return member != NULL ? member : look->spare;
}
