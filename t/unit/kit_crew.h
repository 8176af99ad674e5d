/* SPDX-License-Identifier: MIT */
#ifndef KIT_CREW_H
#define KIT_CREW_H
/**
 * @file  What tests of the choice begin with: members in a row, a view of them, and dice that always fall the same way.
 */
#include <stdio.h>
#include <string.h>

#include "router/kit/choose.h"
#include "unit.h"

enum { CREW_MOST = 256, DRAWN = 200000 };

static weir_member_t crew[CREW_MOST];
static kit_record_t crew_records[CREW_MOST];
static kit_trouble_t crew_troubles[CREW_MOST];
static weir_member_t *crew_list[CREW_MOST];
static char crew_ids[CREW_MOST][24];
static size_t crew_count;
static uint64_t crew_dice;
static kit_choice_settings_t crew_settings; /* of the next crew_view() */
static kit_wish_t crew_wish;
static long crew_drawn[CREW_MOST];

/* SplitMix64 */
static inline uint64_t crew_throw(void *dice)
{
    uint64_t z = *(uint64_t *)dice += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* `count` members "m-0", "m-1" … whose weights are those given, again and again; all else as at the start. */
static inline void crew_make(size_t count, const uint32_t *weights, size_t weight_count)
{
    assert_true(count <= CREW_MOST);
    memset(crew, 0, sizeof(crew));
    memset(crew_records, 0, sizeof(crew_records));
    memset(crew_troubles, 0, sizeof(crew_troubles));
    memset(crew_drawn, 0, sizeof(crew_drawn));
    crew_count = count;
    crew_dice = 20261130;
    crew_settings = (kit_choice_settings_t){.choices = 3, .panic_percent = 50, .hash_bound_percent = 150, .zone_handicap = 1};
    crew_wish = (kit_wish_t){.dice = crew_throw, .dice_context = &crew_dice, .now_us = UINT64_C(1000000000)};
    for (size_t i = 0; i < count; i++) {
        snprintf(crew_ids[i], sizeof(crew_ids[i]), "m-%zu", i);
        crew[i].id = crew_ids[i];
        atomic_init(&crew[i].record, &crew_records[i]);
        atomic_init(&crew[i].trouble, &crew_troubles[i]);
        crew[i].weight = weights[i % weight_count];
        crew_list[i] = &crew[i];
    }
}

static inline void crew_make_equal(size_t count)
{
    crew_make(count, &(uint32_t){100}, 1);
}

static inline kit_view_t *crew_view(kit_balance_t balance)
{
    crew_settings.balance = balance;
    return kit_view_create(&crew_settings, crew_list, crew_count, "here");
}

/* One choice by the crew's wish, with the next ticket. */
static inline kit_pick_t crew_choose(const kit_view_t *view)
{
    crew_wish.ticket++;
    return kit_choose(view, &crew_wish);
}

/* DRAWN choices, none of which stays in flight; counted. */
static inline void crew_draw(const kit_view_t *view)
{
    memset(crew_drawn, 0, sizeof(crew_drawn));
    for (int i = 0; i < DRAWN; i++) {
        kit_pick_t pick = crew_choose(view);
        assert_non_null(pick.member);
        crew_drawn[pick.member - crew]++;
    }
}

static inline void assert_near(double got, double expected, double tolerance)
{
    if (!(got >= expected - tolerance && got <= expected + tolerance))
        fail_msg("%g is not %g ± %g", got, expected, tolerance);
}

#endif
