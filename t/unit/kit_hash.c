/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "kit_crew.h"

enum { KEYS = 60000 };

static const size_t sizes[] = {3, 16, 17, 100};

static size_t owner(const kit_view_t *view, uint64_t key)
{
    kit_pick_t pick;

    crew_wish.has_key = true;
    crew_wish.key = key;
    pick = kit_choose(view, &crew_wish);
    assert_non_null(pick.member);
    assert_int_equal(pick.how, KIT_BY_HASH);
    return (size_t)(pick.member - crew);
}

static uint64_t key_at(size_t i)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "/image/%zu", i);

    return kit_key_of(crew_settings.hash_seed, (weir_span_t){text, (size_t)length});
}

/* All machines, and all versions, have to agree. */
static void is_the_same_everywhere(void **state)
{
    assert_true(kit_key_of(0, WEIR_SPAN("/index.html")) == kit_key_of(0, WEIR_SPAN("/index.html")));
    assert_true(kit_key_of(0, WEIR_SPAN("/index.html")) != kit_key_of(1, WEIR_SPAN("/index.html")));
    assert_true(kit_key_of(7, WEIR_SPAN("/index.html")) == UINT64_C(0x6646f97ed3f114c8));
    assert_near(kit_score(7, 4711, "10.0.0.1:80", 100), 145.2118002295712, 1e-9);
    assert_true(kit_score(7, 4711, "10.0.0.1:80", 100) != kit_score(7, 4712, "10.0.0.1:80", 100));
    assert_near(kit_score(7, 4711, "10.0.0.1:80", 200), 2 * 145.2118002295712, 1e-9);
}

/* Whatever way the view finds the owner, it is the one with the highest score. */
static void scan_and_table_agree_on_every_slot(void **state)
{
    for (size_t i = 0; i < 4; i++) {
        kit_view_t *view;
        crew_make(sizes[i], (const uint32_t[]){100, 100, 50, 700}, 4);
        crew_settings.hash_seed = i;
        view = crew_view(KIT_HASH);
        for (uint64_t slot = 0; slot<KIT_SLOTS; slot += sizes[i]> 17 ? 13 : 1) {
            double best = -1;
            size_t who = 0;
            for (size_t k = 0; k < sizes[i]; k++) {
                double score = kit_score(i, (uint16_t)slot, crew[k].id, crew[k].weight);
                who = score > best ? k : who;
                best = score > best ? score : best;
            }
            assert_int_equal(owner(view, slot << 48 | 4711), who);
        }
        for (uint64_t slot = 0; slot < KIT_SLOTS; slot += 101) {
            size_t who;
            crew_wish.wants_any_key = false;
            who = owner(view, slot << 48);
            crew_wish.wants_any_key = true;
            assert_int_equal(owner(view, slot << 48), who);
        }
        kit_view_free(view);
    }
}

/* Members come, go, change their weights and all three at once: a table that was taken over is as if made from scratch. */
static void a_table_is_taken_over(void **state)
{
    kit_view_t *before, *view, *fresh;

    crew_make(40, (const uint32_t[]){100, 100, 50, 700}, 4);
    before = crew_view(KIT_HASH);
    for (int round = 0; round < 12; round++) {
        for (size_t i = 0; i < (size_t)round; i++) {
            size_t who = crew_throw(&crew_dice) % 40;
            bool is_off = atomic_load(&crew[who].admin) == KIT_OFF;
            if (i % 3 == 2)
                crew[who].weight = (uint32_t)(crew_throw(&crew_dice) % 300);
            else
                atomic_store(&crew[who].admin, is_off ? KIT_UP : KIT_OFF);
        }
        crew_settings.hash_seed = round < 9 ? 0 : 1;
        crew_settings.balance = KIT_HASH;
        view = kit_view_create_after(before, &crew_settings, crew_list, crew_count, NULL);
        fresh = crew_view(KIT_HASH);
        assert_true(kit_view_count(view) > KIT_SCAN_MOST);
        for (uint64_t slot = 0; slot < KIT_SLOTS; slot++)
            assert_int_equal(owner(view, slot << 48), owner(fresh, slot << 48));
        kit_view_free(fresh);
        kit_view_free(before);
        before = view;
    }
    kit_view_free(before);
}

/* Both when it leaves the view and when it only falls ill in it. */
static void when_one_leaves_only_its_keys_move(void **state)
{
    static size_t before[KEYS];

    for (size_t i = 0; i < 4; i++) {
        kit_view_t *whole, *rest;
        size_t moved = 0, lost = sizes[i] / 2;
        crew_make(sizes[i], (const uint32_t[]){100, 100, 30}, 3);
        whole = crew_view(KIT_HASH);
        for (size_t k = 0; k < KEYS; k++)
            before[k] = owner(whole, key_at(k));
        atomic_store(&crew[lost].admin, KIT_DRAINING);
        rest = crew_view(KIT_HASH);
        atomic_store(&crew[lost].admin, KIT_UP);
        atomic_store(&crew[lost].quarantine, KIT_FAILING);
        assert_int_equal(kit_view_count(rest), sizes[i] - 1);
        for (size_t k = 0; k < KEYS; k++) {
            size_t after = owner(rest, key_at(k));
            assert_true(before[k] == lost ? after != lost : after == before[k]);
            assert_int_equal(owner(whole, key_at(k)), after);
            moved += before[k] == lost;
        }
        assert_true(moved > 0);
        kit_view_free(whole);
        kit_view_free(rest);
    }
}

static void weights_are_kept(void **state)
{
    kit_view_t *view;

    crew_make(4, (const uint32_t[]){100, 200, 300, 400}, 4);
    view = crew_view(KIT_HASH);
    for (uint64_t slot = 0; slot < KIT_SLOTS; slot++)
        crew_drawn[owner(view, slot << 48)]++;
    for (size_t i = 0; i < 4; i++)
        assert_near((double)crew_drawn[i] / KIT_SLOTS * 1000 / crew[i].weight, 1, 0.03);
    kit_view_free(view);
    crew_make(100, (const uint32_t[]){100, 300}, 2);
    view = crew_view(KIT_HASH);
    for (uint64_t slot = 0; slot < KIT_SLOTS; slot++)
        crew_drawn[owner(view, slot << 48) & 1]++;
    assert_near((double)crew_drawn[0] / KIT_SLOTS, 0.25, 0.25 * 0.03);
    kit_view_free(view);
}

/* Requests that stay, one key in five the same one: the busiest has at most 1.6 times the mean. */
static void hot_keys_are_bounded(void **state)
{
    static weir_member_t *under_way[3000];

    for (size_t i = 0; i < 4; i++) {
        size_t in_flight = 30 * sizes[i];
        kit_view_t *view;
        crew_make_equal(sizes[i]);
        view = crew_view(KIT_HASH);
        memset(under_way, 0, sizeof(under_way));
        for (size_t k = 0; k < 20 * in_flight; k++) {
            size_t at = k % in_flight, member, busiest = 0, most;
            uint64_t dice = crew_throw(&crew_dice);
            if (under_way[at] != NULL)
                atomic_fetch_sub(&under_way[at]->load, KIT_ONE_IN_FLIGHT);
            crew_wish.now_us += 20; /* 50,000 a second */
            member = owner(view, dice % 5 == 0 ? UINT64_C(0x1234) << 48 : dice);
            under_way[at] = &crew[member];
            atomic_fetch_add(&crew[member].load, KIT_ONE_IN_FLIGHT);
            most = (size_t)(1.6 * (double)(k < in_flight ? k + 1 : in_flight) / (double)sizes[i]) + 1;
            for (size_t n = 0; n < sizes[i]; n++) {
                size_t load = kit_in_flight(atomic_load(&crew[n].load));
                busiest = load > busiest ? load : busiest;
            }
            assert_true(busiest <= (most > KIT_BOUND_LEAST ? most : KIT_BOUND_LEAST));
        }
        kit_view_free(view);
    }
}

static void low_load_is_never_sent_apart(void **state)
{
    kit_view_t *view;
    size_t first;

    crew_make_equal(10);
    view = crew_view(KIT_HASH);
    first = owner(view, 0);
    for (uint64_t load = 0; load < KIT_BOUND_LEAST; load++) {
        atomic_store(&crew[first].load, load * KIT_ONE_IN_FLIGHT);
        assert_int_equal(owner(view, 0), first);
    }
    atomic_store(&crew[first].load, KIT_BOUND_LEAST * KIT_ONE_IN_FLIGHT);
    assert_int_not_equal(owner(view, 0), first);
    crew_wish.wants_any_key = true;
    assert_int_equal(owner(view, 0), first);
    crew_wish.wants_any_key = false;
    for (size_t i = 0; i < 10; i++) /* F = 80: ⌈1.5 · 81 / 10⌉ = 13 */
        atomic_store(&crew[i].load, KIT_BOUND_LEAST * KIT_ONE_IN_FLIGHT);
    assert_int_equal(owner(view, 0), first);
    kit_view_free(view);
    crew_settings.hash_bound_percent = 0;
    view = crew_view(KIT_HASH);
    atomic_store(&crew[first].load, 1000 * KIT_ONE_IN_FLIGHT);
    assert_int_equal(owner(view, 0), first);
    kit_view_free(view);
}

/* Those that are out leave their keys to the rest, however busy that is. */
static void the_bound_counts_the_well_ones(void **state)
{
    kit_view_t *view;
    size_t first, second;

    crew_make_equal(4);
    view = crew_view(KIT_HASH);
    first = owner(view, 0);
    atomic_store(&crew[first].quarantine, KIT_FAILING);
    second = owner(view, 0);
    atomic_store(&crew[first].quarantine, KIT_FREE);
    for (size_t i = 0; i < 4; i++) {
        if (i != first && i != second)
            atomic_store(&crew[i].quarantine, KIT_FAILING);
    }
    atomic_store(&crew[first].load, 100 * KIT_ONE_IN_FLIGHT);
    atomic_store(&crew[second].load, 60 * KIT_ONE_IN_FLIGHT);
    assert_int_equal(owner(view, 0), first); /* ⌈1.5 · 161 / 2⌉ = 121 */
    atomic_store(&crew[first].load, 121 * KIT_ONE_IN_FLIGHT);
    atomic_store(&crew[second].load, 39 * KIT_ONE_IN_FLIGHT);
    assert_int_equal(owner(view, 0), second);
    crew_wish.tried = (const weir_member_t *const *)((weir_member_t *[]){&crew[second]});
    crew_wish.tried_count = 1;
    assert_int_equal(owner(view, 0), first); /* too much is better than nobody */
    kit_view_free(view);
}

static void full_and_tried_ones_pass_it_on(void **state)
{
    for (size_t i = 0; i < 4; i++) {
        weir_member_t *tried;
        kit_view_t *view;
        size_t first, second;
        crew_make_equal(sizes[i]);
        view = crew_view(KIT_HASH);
        first = owner(view, 0);
        tried = &crew[first];
        crew_wish.tried = (const weir_member_t *const *)(&tried);
        crew_wish.tried_count = 1;
        second = owner(view, 0);
        assert_int_not_equal(second, first);
        crew_wish.tried_count = 0;
        assert_int_equal(owner(view, 0), first);
        atomic_store(&crew[first].request_limit, 1);
        atomic_store(&crew[first].load, KIT_ONE_IN_FLIGHT);
        assert_int_equal(owner(view, 0), second);
        crew_wish.has_key = false;
        assert_int_equal(kit_choose(view, &crew_wish).how, KIT_BY_BEST);
        kit_view_free(view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_everywhere),
        cmocka_unit_test(scan_and_table_agree_on_every_slot),
        cmocka_unit_test(a_table_is_taken_over),
        cmocka_unit_test(when_one_leaves_only_its_keys_move),
        cmocka_unit_test(weights_are_kept),
        cmocka_unit_test(hot_keys_are_bounded),
        cmocka_unit_test(low_load_is_never_sent_apart),
        cmocka_unit_test(the_bound_counts_the_well_ones),
        cmocka_unit_test(full_and_tried_ones_pass_it_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
