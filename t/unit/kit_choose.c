/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "kit_crew.h"

enum { IN_FLIGHT_MOST = 300 };

/* Choices whose requests stay in flight, heads still to come, until so many newer ones are. */
static void draw_with(const kit_view_t *view, size_t in_flight)
{
    static weir_member_t *under_way[IN_FLIGHT_MOST + 1];

    memset(crew_drawn, 0, sizeof(crew_drawn));
    memset(under_way, 0, sizeof(under_way));
    for (size_t i = 0; i < DRAWN; i++) {
        size_t at = i % (in_flight + 1);
        kit_pick_t pick;
        if (under_way[at] != NULL)
            atomic_fetch_sub(&under_way[at]->load, KIT_ONE_IN_FLIGHT | KIT_ONE_WAITING);
        pick = crew_choose(view);
        assert_non_null(pick.member);
        atomic_fetch_add(&pick.member->load, KIT_ONE_IN_FLIGHT | KIT_ONE_WAITING);
        crew_drawn[pick.member - crew]++;
        under_way[at] = pick.member;
    }
}

static void assert_share(size_t index, double expected)
{
    assert_near((double)crew_drawn[index], DRAWN * expected, 3 * sqrt(DRAWN * expected * (1 - expected)));
}

static void assert_shares_by_weight(size_t count, const uint32_t *weights, size_t weight_count)
{
    static const kit_balance_t balances[] = {KIT_BEST, KIT_LEAST, KIT_ROUND_ROBIN, KIT_RANDOM, KIT_HASH /* has no key */};
    static const size_t loads[] = {0, 50, IN_FLIGHT_MOST};

    for (size_t i = 0; i < sizeof(balances) / sizeof(balances[0]) * 3; i++) {
        kit_view_t *view;
        double sum = 0;
        crew_make(count, weights, weight_count);
        view = crew_view(balances[i / 3]);
        draw_with(view, loads[i % 3]);
        for (size_t k = 0; k < count; k++)
            sum += crew[k].weight;
        for (size_t k = 0; k < count; k++)
            assert_share(k, crew[k].weight / sum);
        kit_view_free(view);
    }
}

static void shares_are_the_weights(void **state)
{
    assert_shares_by_weight(5, (const uint32_t[]){1, 2, 2, 4, 4}, 5);
    assert_shares_by_weight(3, (const uint32_t[]){1, 3, 7}, 3);
    assert_shares_by_weight(6, (const uint32_t[]){100}, 1);
}

/* More than are shuffled; so many, that one or the other lies beyond 3 σ by right: hence χ². */
static void shares_of_many_are_even(void **state)
{
    static const size_t loads[] = {0, 50, IN_FLIGHT_MOST};

    for (size_t i = 0; i < 3 * 4; i++) {
        double chi_square = 0, expected = DRAWN / 80.0;
        kit_view_t *view;
        crew_make_equal(80);
        view = crew_view((kit_balance_t)(KIT_BEST + i / 3));
        draw_with(view, loads[i % 3]);
        for (size_t k = 0; k < 80; k++)
            chi_square += pow((double)crew_drawn[k] - expected, 2) / expected;
        assert_true(chi_square < 79 + 3 * sqrt(2 * 79));
        kit_view_free(view);
    }
}

static void a_canary_has_half_a_percent(void **state)
{
    assert_shares_by_weight(3, (const uint32_t[]){1, 100, 99}, 3);
    assert_shares_by_weight(2, (const uint32_t[]){995, 5}, 2);
}

/* Of three draws of ten the dearest one is taken when it is drawn first in one of 32 choices. */
static void load_decides_among_equals(void **state)
{
    kit_view_t *view;

    crew_make_equal(10);
    view = crew_view(KIT_BEST);
    atomic_store(&crew[3].load, 20 * KIT_ONE_IN_FLIGHT | 20 * KIT_ONE_WAITING);
    crew_draw(view);
    assert_share(3, 1.0 / 32 / 10);
    atomic_store(&crew[3].is_silent, 1);
    crew_draw(view);
    assert_int_equal(crew_drawn[3], 0);
    kit_view_free(view);
    view = crew_view(KIT_LEAST);
    atomic_store(&crew[3].is_silent, 0);
    crew_draw(view);
    assert_int_equal(crew_drawn[3], 0);
    atomic_store(&crew[3].load, 0);
    for (size_t i = 4; i < 10; i++)
        atomic_store(&crew[i].load, KIT_ONE_IN_FLIGHT);
    crew_draw(view);
    for (size_t i = 0; i < 4; i++) /* of equals anyone, by the random start: those behind the dear ones more often */
        assert_true(crew_drawn[i] > DRAWN / 20);
    assert_int_equal(crew_drawn[0] + crew_drawn[1] + crew_drawn[2] + crew_drawn[3], DRAWN);
    kit_view_free(view);
}

static void more_choices_find_better_ones(void **state)
{
    static const unsigned choices[] = {2, 3, 8};

    for (size_t i = 0; i < 3; i++) {
        double misses = 1, explored = 1.0 / 32;
        kit_view_t *view;
        crew_make_equal(80);
        crew_settings.choices = choices[i];
        view = crew_view(KIT_BEST);
        for (size_t k = 8; k < 80; k++)
            atomic_store(&crew[k].handicap, 1);
        crew_draw(view);
        for (unsigned k = 0; k < choices[i]; k++) /* all distinct, all of the 72 dear ones */
            misses *= (72.0 - k) / (80.0 - k);
        for (size_t k = 1; k < 8; k++)
            crew_drawn[0] += crew_drawn[k];
        assert_share(0, explored * 0.1 + (1 - explored) * (1 - misses));
        kit_view_free(view);
    }
}

static void what_a_request_costs(void **state)
{
    crew_make_equal(1);
    assert_int_equal(kit_cost_eighths(&crew[0], 0, false), 8);
    atomic_store(&crew[0].load, 10 * KIT_ONE_IN_FLIGHT | 4 * KIT_ONE_WAITING | 100 * KIT_ONE_TUNNEL);
    assert_int_equal(kit_cost_eighths(&crew[0], 0, false), 8 + 4 * 8 + 6);
    assert_int_equal(kit_cost_eighths(&crew[0], 0, true), 8 + 104 * 8);
    atomic_store(&crew[0].handicap, 4);
    assert_int_equal(kit_cost_eighths(&crew[0], 1, false), (8 + 4 * 8 + 6) * 32);
    atomic_store(&crew[0].load, 2 * KIT_ONE_IN_FLIGHT | 3 * KIT_ONE_WAITING); /* seen half-way of somebody's two steps */
    assert_int_equal(kit_cost_eighths(&crew[0], 0, false), (8 + 3 * 8) * 16);
}

static void the_own_zone_comes_first(void **state)
{
    kit_view_t *view;

    crew_make_equal(3);
    crew_settings.zone_handicap = 2;
    crew[0].zone = (char[]){"here"};
    crew[1].zone = (char[]){"there"};
    view = crew_view(KIT_LEAST);
    crew_draw(view);
    assert_int_equal(crew_drawn[1], 0);
    atomic_store(&crew[0].load, 3 * KIT_ONE_IN_FLIGHT | 3 * KIT_ONE_WAITING);
    atomic_store(&crew[2].load, 4 * KIT_ONE_IN_FLIGHT | 4 * KIT_ONE_WAITING);
    crew_draw(view);          /* four times as dear, and the other one has four times as much */
    assert_share(1, 1.0 / 3); /* of the two cheapest the first one from a random start on */
    assert_share(0, 2.0 / 3);
    kit_view_free(view);
    view = kit_view_create(&crew_settings, crew_list, crew_count, NULL);
    crew_draw(view);
    assert_int_equal(crew_drawn[1], DRAWN);
    kit_view_free(view);
}

static void turns_come_in_order(void **state)
{
    size_t last = 0, seen[5] = {0};
    kit_view_t *view;

    crew_make_equal(4);
    view = crew_view(KIT_ROUND_ROBIN);
    for (size_t i = 1; i < 40; i++)
        assert_ptr_equal(crew_choose(view).member, &crew[i % 4]);
    atomic_store(&crew[2].quarantine, KIT_FAILING);
    crew_wish.ticket = 1;
    assert_ptr_equal(crew_choose(view).member, &crew[3]);
    assert_int_equal(crew_choose(view).how, KIT_BY_TURN);
    kit_view_free(view);
    /* The heavy one is never far, and everybody comes once in a round. */
    crew_make(5, (const uint32_t[]){500, 100, 100, 100, 200}, 5);
    view = crew_view(KIT_ROUND_ROBIN);
    for (size_t i = 1; i <= 20; i++) {
        kit_pick_t pick = crew_choose(view);
        seen[pick.member - crew]++;
        last = pick.member == &crew[0] ? 0 : last + 1;
        assert_true(last <= 4);
    }
    assert_true(seen[0] == 10 && seen[1] == 2 && seen[2] == 2 && seen[3] == 2 && seen[4] == 4);
    kit_view_free(view);
}

/* 200 members of weight 997 and one of 3 would make 199,403 turns. */
static void a_long_schedule_is_made_coarse(void **state)
{
    kit_view_t *view;

    crew_make(201, (const uint32_t[]){997}, 1);
    crew[7].weight = 3;
    view = crew_view(KIT_ROUND_ROBIN);
    for (size_t i = 0; i < KIT_SCHEDULE_MOST; i++)
        crew_drawn[crew_choose(view).member - crew]++;
    assert_true(crew_drawn[7] >= 1 && crew_drawn[7] <= 2);
    for (size_t i = 0; i < 201; i++) {
        if (i != 7)
            assert_near((double)crew_drawn[i], KIT_SCHEDULE_MOST / 200.0, 1);
    }
    kit_view_free(view);
}

/* Whichever way is taken, the one that is left is found, whatever the dice say. */
static void the_last_usable_one_is_found(void **state)
{
    for (int balance = KIT_BEST; balance <= KIT_HASH; balance++) {
        static const size_t counts[] = {3, 60, 250};
        for (size_t i = 0; i < 3; i++) {
            kit_view_t *view;
            crew_make(counts[i], (const uint32_t[]){7, 3, 3}, 3);
            crew_wish.has_key = true;
            view = crew_view((kit_balance_t)balance);
            for (size_t k = 0; k < counts[i]; k++)
                atomic_store(&crew[k].quarantine, KIT_SILENT);
            for (size_t k = 0; k < 200; k++) {
                weir_member_t *left = &crew[k % counts[i]];
                crew_wish.key = crew_throw(&crew_dice);
                atomic_store(&left->quarantine, KIT_FREE);
                assert_ptr_equal(crew_choose(view).member, left);
                atomic_store(&left->quarantine, KIT_SILENT);
            }
            kit_view_free(view);
        }
    }
}

/* The drawn class has nobody: the others share by their weights as if it were not there. */
static void a_class_without_anybody_is_left_out(void **state)
{
    for (int balance = KIT_BEST; balance <= KIT_RANDOM; balance++) {
        kit_view_t *view;
        if (balance == KIT_ROUND_ROBIN)
            continue;
        crew_make(6, (const uint32_t[]){50, 50, 10, 20, 20, 30}, 6);
        view = crew_view((kit_balance_t)balance);
        atomic_store(&crew[0].quarantine, KIT_FAILING);
        atomic_store(&crew[1].quarantine, KIT_FAILING);
        crew_draw(view);
        assert_share(2, 0.125);
        assert_share(3, 0.25);
        assert_share(4, 0.25);
        assert_share(5, 0.375);
        kit_view_free(view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_the_weights),
        cmocka_unit_test(shares_of_many_are_even),
        cmocka_unit_test(a_canary_has_half_a_percent),
        cmocka_unit_test(load_decides_among_equals),
        cmocka_unit_test(more_choices_find_better_ones),
        cmocka_unit_test(what_a_request_costs),
        cmocka_unit_test(the_own_zone_comes_first),
        cmocka_unit_test(turns_come_in_order),
        cmocka_unit_test(a_long_schedule_is_made_coarse),
        cmocka_unit_test(the_last_usable_one_is_found),
        cmocka_unit_test(a_class_without_anybody_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
