/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <pthread.h>

#include "kit_crew.h"

enum { SECOND_US = 1000000 };

static void assert_picks(const kit_view_t *view, size_t index, kit_how_t how)
{
    for (int i = 0; i < 100; i++) {
        kit_pick_t pick = crew_choose(view);
        assert_ptr_equal(pick.member, &crew[index]);
        assert_int_equal(pick.how, how);
    }
}

static void assert_none(const kit_view_t *view, kit_why_none_t why)
{
    kit_pick_t pick = crew_choose(view);

    assert_null(pick.member);
    assert_int_equal(pick.how, KIT_BY_NOTHING);
    assert_int_equal(pick.why_none, why);
}

static void a_view_has_those_that_are_up(void **state)
{
    kit_view_t *view;

    crew_make_equal(4);
    crew[0].weight = 0;
    atomic_store(&crew[1].admin, KIT_DRAINING);
    atomic_store(&crew[2].admin, KIT_OFF);
    view = crew_view(KIT_BEST);
    assert_int_equal(kit_view_count(view), 1);
    assert_picks(view, 3, KIT_BEING_THE_ONLY);
    atomic_store(&crew[3].admin, KIT_DRAINING); /* the next view is not there yet */
    assert_none(view, KIT_NONE_EXISTS);
    kit_view_free(view);
    view = crew_view(KIT_HASH);
    assert_int_equal(kit_view_count(view), 0);
    assert_false(kit_is_panic(view));
    kit_view_refresh(view, 1);
    assert_none(view, KIT_NONE_EXISTS);
    kit_view_free(view);
    kit_view_free(NULL);
}

static void the_lowest_tier_with_anybody_is_asked(void **state)
{
    for (int balance = KIT_BEST; balance <= KIT_HASH; balance++) {
        kit_view_t *view;
        crew_make_equal(3);
        crew_wish.has_key = true;
        crew[0].tier = 9;
        crew[1].tier = 2;
        view = crew_view((kit_balance_t)balance);
        kit_how_t how = crew_choose(view).how;
        assert_picks(view, 2, how);
        atomic_store(&crew[2].request_limit, 5);
        atomic_store(&crew[2].load, 5 * KIT_ONE_IN_FLIGHT);
        assert_none(view, KIT_ALL_FULL);
        atomic_store(&crew[2].quarantine, KIT_CONNECT);
        assert_picks(view, 1, how);
        crew_wish.tried = (const weir_member_t *const *)((weir_member_t *[]){&crew[1]});
        crew_wish.tried_count = 1;
        assert_picks(view, 0, how);
        kit_view_free(view);
    }
}

static void full_tiers_spill_if_wished(void **state)
{
    kit_view_t *view;

    crew_make_equal(2);
    crew[1].tier = 1;
    crew_settings.spills = true;
    view = crew_view(KIT_BEST);
    atomic_store(&crew[0].request_limit, 2);
    atomic_store(&crew[0].load, KIT_ONE_IN_FLIGHT | 7 * KIT_ONE_TUNNEL); /* tunnels do not count */
    assert_picks(view, 0, KIT_BY_BEST);
    atomic_store(&crew[0].load, 2 * KIT_ONE_IN_FLIGHT);
    assert_picks(view, 1, KIT_BY_BEST);
    atomic_store(&crew[1].quarantine, KIT_SILENT);
    assert_none(view, KIT_ALL_FULL);
    kit_view_free(view);
}

static bool is_other_than(const weir_member_t *member, void *context)
{
    return member != context;
}

static void some_may_not_be_had(void **state)
{
    kit_view_t *view;

    crew_make_equal(3);
    crew_wish.may = is_other_than;
    crew_wish.may_context = &crew[0];
    crew_wish.tried = (const weir_member_t *const *)((weir_member_t *[]){&crew[2], &crew[1]});
    crew_wish.tried_count = 1;
    view = crew_view(KIT_LEAST);
    assert_picks(view, 1, KIT_BY_LEAST);
    crew_wish.tried_count = 2;
    assert_none(view, KIT_ALL_TRIED); /* the one that would do is none of its own */
    atomic_store(&crew[0].request_limit, 1);
    atomic_store(&crew[0].load, KIT_ONE_IN_FLIGHT);
    assert_none(view, KIT_ALL_TRIED);
    kit_view_free(view);
}

static void none_is_told_by_the_best_hope(void **state)
{
    for (int balance = KIT_BEST; balance <= KIT_HASH; balance++) {
        kit_view_t *view;
        crew_make(4, (const uint32_t[]){3, 1}, 2);
        crew_settings.panic_percent = 0;
        crew_wish.has_key = true;
        crew_wish.tried = (const weir_member_t *const *)(crew_list);
        crew_wish.tried_count = 4;
        view = crew_view((kit_balance_t)balance);
        assert_none(view, KIT_ALL_TRIED);
        crew_wish.tried_count = 3;
        atomic_store(&crew[3].check, KIT_CHECK_FAILED);
        assert_none(view, KIT_ALL_ILL);
        atomic_store(&crew[3].check, KIT_CHECK_PASSED);
        atomic_store(&crew[3].quarantine, KIT_FAILING);
        assert_none(view, KIT_ALL_ILL);
        crew_wish.tried_count = 2;
        atomic_store(&crew[2].check, KIT_CHECK_STARTING);
        assert_none(view, KIT_ALL_STARTING);
        crew_wish.tried_count = 1;
        atomic_store(&crew[1].request_limit, 1);
        atomic_store(&crew[1].load, KIT_ONE_IN_FLIGHT);
        assert_none(view, KIT_ALL_FULL);
        crew_wish.tries_ill = true;
        assert_none(view, KIT_ALL_FULL);
        kit_view_free(view);
    }
}

static void panic_ignores_checks_but_no_quarantine(void **state)
{
    kit_view_t *view;

    crew_make(4, (const uint32_t[]){100, 99, 101, 100}, 4);
    view = crew_view(KIT_RANDOM);
    atomic_store(&crew[0].check, KIT_CHECK_PASSED);
    atomic_store(&crew[1].check, KIT_CHECK_FAILED);
    atomic_store(&crew[2].check, KIT_CHECK_FAILED);
    kit_view_refresh(view, 0);
    assert_false(kit_is_panic(view)); /* 200 of 400 are left */
    crew_draw(view);
    assert_true(crew_drawn[0] > 0 && crew_drawn[1] == 0 && crew_drawn[2] == 0);
    atomic_store(&crew[3].check, KIT_CHECK_FAILED);
    atomic_store(&crew[2].quarantine, KIT_SILENT);
    assert_picks(view, 0, KIT_BY_DICE);
    kit_view_refresh(view, 0);
    assert_true(kit_is_panic(view));
    crew_draw(view);
    assert_true(crew_drawn[0] > 0 && crew_drawn[1] > 0 && crew_drawn[2] == 0 && crew_drawn[3] > 0);
    atomic_store(&crew[0].quarantine, KIT_CONNECT);
    assert_int_equal(crew_choose(view).how, KIT_BY_PANIC);
    kit_view_free(view);
    crew_settings.panic_percent = 0;
    view = crew_view(KIT_BEST);
    assert_false(kit_is_panic(view));
    assert_none(view, KIT_ALL_ILL);
    kit_view_free(view);
}

/* At the start nobody has been asked: that is no verdict, and no panic. */
static void starting_ones_are_waited_for(void **state)
{
    kit_view_t *view;

    crew_make_equal(3);
    for (size_t i = 0; i < 3; i++)
        atomic_store(&crew[i].check, KIT_CHECK_STARTING);
    view = crew_view(KIT_BEST);
    assert_false(kit_is_panic(view));
    assert_none(view, KIT_ALL_STARTING);
    atomic_store(&crew[0].check, KIT_CHECK_FAILED);
    kit_view_refresh(view, 0);
    assert_false(kit_is_panic(view)); /* the others may pass theirs */
    assert_none(view, KIT_ALL_STARTING);
    atomic_store(&crew[1].check, KIT_CHECK_FAILED);
    kit_view_refresh(view, 0);
    assert_true(kit_is_panic(view));
    atomic_store(&crew[1].admin, KIT_OFF);
    assert_picks(view, 0, KIT_BY_PANIC);
    atomic_store(&crew[1].check, KIT_CHECK_STARTING);
    assert_true(kit_is_well(&crew[0], true) && !kit_is_well(&crew[0], false) && !kit_is_well(&crew[1], true));
    kit_view_free(view);
}

static void a_check_never_takes_the_only_one_out(void **state)
{
    kit_view_t *view;

    crew_make_equal(1);
    crew_settings.panic_percent = 0;
    view = crew_view(KIT_BEST);
    atomic_store(&crew[0].check, KIT_CHECK_FAILED);
    kit_view_refresh(view, 0);
    assert_picks(view, 0, KIT_BEING_THE_ONLY);
    atomic_store(&crew[0].quarantine, KIT_CONNECT);
    assert_none(view, KIT_ALL_ILL);
    kit_view_free(view);
}

static void a_trial_is_one_request_that_may_be_one(void **state)
{
    for (int balance = KIT_BEST; balance <= KIT_HASH; balance++) {
        kit_view_t *view;
        crew_make_equal(20);
        crew_wish.has_key = true;
        view = crew_view((kit_balance_t)balance);
        atomic_store(&crew[13].quarantine, KIT_TRIAL);
        atomic_store(&crew_troubles[13].quarantined_at_us, crew_wish.now_us - SECOND_US);
        kit_view_refresh(view, crew_wish.now_us);
        for (int i = 0; i < 1000; i++) {
            crew_wish.key = crew_throw(&crew_dice);
            assert_ptr_not_equal(crew_choose(view).member, &crew[13]);
        }
        crew_wish.may_be_trial = true;
        assert_picks(view, 13, KIT_BY_TRIAL);
        atomic_store(&crew[13].has_trial, 1);
        for (int i = 0; i < 1000; i++) {
            crew_wish.key = crew_throw(&crew_dice);
            assert_ptr_not_equal(crew_choose(view).member, &crew[13]);
        }
        atomic_store(&crew[13].has_trial, 0);
        crew_wish.wants_any_key = true; /* requests of one session stay together */
        for (int i = 0; i < 1000; i++) {
            crew_wish.key = crew_throw(&crew_dice);
            assert_ptr_not_equal(crew_choose(view).member, &crew[13]);
        }
        kit_view_free(view);
    }
}

static void a_trial_does_not_wait_for_ever(void **state)
{
    kit_view_t *view;
    long trials = 0;

    crew_make_equal(2);
    view = crew_view(KIT_RANDOM);
    atomic_store(&crew[1].quarantine, KIT_TRIAL);
    atomic_store(&crew_troubles[1].quarantined_at_us, crew_wish.now_us - 10 * SECOND_US);
    for (int i = 0; i < 100; i++) {
        kit_pick_t pick = crew_choose(view);
        trials += pick.member == &crew[1];
        assert_int_equal(pick.how, pick.member == &crew[1] ? KIT_BY_TRIAL : KIT_BY_DICE);
    }
    assert_true(trials > 20);
    atomic_store(&crew_troubles[1].quarantined_at_us, crew_wish.now_us - 10 * SECOND_US + 1);
    assert_picks(view, 0, KIT_BY_DICE);
    atomic_store(&crew[0].quarantine, KIT_FAILING);
    assert_picks(view, 1, KIT_BY_TRIAL); /* rather than nobody */
    atomic_store(&crew[0].quarantine, KIT_FREE);
    atomic_store(&crew[0].request_limit, 1);
    atomic_store(&crew[0].load, KIT_ONE_IN_FLIGHT);
    assert_none(view, KIT_ALL_FULL);
    atomic_store(&crew[0].load, 0);
    atomic_store(&crew_troubles[1].quarantined_at_us, 0);
    crew_wish.wants_any_key = true; /* nor then is it for a session */
    for (int i = 0; i < 100; i++) {
        crew_wish.key = crew_throw(&crew_dice);
        assert_ptr_equal(crew_choose(view).member, &crew[0]);
    }
    kit_view_free(view);
}

static void a_backup_is_not_tried_without_need(void **state)
{
    kit_view_t *view;

    crew_make_equal(2);
    crew[0].tier = 1;
    crew_wish.may_be_trial = true;
    view = crew_view(KIT_BEST);
    atomic_store(&crew[0].quarantine, KIT_TRIAL);
    kit_view_refresh(view, crew_wish.now_us);
    assert_picks(view, 1, KIT_BY_BEST);
    atomic_store(&crew[1].quarantine, KIT_SILENT);
    assert_picks(view, 0, KIT_BY_TRIAL);
    kit_view_free(view);
}

static void the_ill_are_tried_in_turn(void **state)
{
    weir_member_t *tried[4];
    kit_view_t *view;

    crew_make_equal(4);
    crew_settings.panic_percent = 0;
    view = crew_view(KIT_BEST);
    for (size_t i = 0; i < 4; i++) {
        atomic_store(&crew[i].quarantine, i == 2 ? KIT_CONNECT : KIT_FAILING);
        atomic_store(&crew_troubles[i].quarantined_at_us, 100 - 10 * i);
    }
    atomic_store(&crew[3].check, KIT_CHECK_FAILED);
    assert_none(view, KIT_ALL_ILL);
    crew_wish.tries_ill = true;
    crew_wish.tried = (const weir_member_t *const *)(tried);
    for (size_t i = 0; i < 3; i++) {
        assert_picks(view, 2 - i, KIT_BY_LAST_RESORT);
        tried[crew_wish.tried_count++] = &crew[2 - i];
    }
    assert_none(view, KIT_ALL_ILL);
    tried[crew_wish.tried_count++] = &crew[3];
    assert_none(view, KIT_ALL_TRIED);
    kit_view_free(view);
}

static void the_only_one(void **state)
{
    kit_view_t *view;

    crew_make_equal(3);
    crew[2].tier = 1;
    view = crew_view(KIT_BEST);
    assert_null(kit_view_only(view, &crew_wish));
    atomic_store(&crew[0].quarantine, KIT_FAILING);
    assert_null(kit_view_only(view, &crew_wish)); /* the spare one would do as well */
    atomic_store(&crew[2].check, KIT_CHECK_STARTING);
    assert_ptr_equal(kit_view_only(view, &crew_wish), &crew[1]);
    atomic_store(&crew[1].request_limit, 1);
    atomic_store(&crew[1].load, KIT_ONE_IN_FLIGHT); /* that may be by this request */
    assert_ptr_equal(kit_view_only(view, &crew_wish), &crew[1]);
    atomic_store(&crew[0].quarantine, KIT_TRIAL);
    assert_null(kit_view_only(view, &crew_wish));
    atomic_store(&crew[0].has_trial, 1);
    assert_ptr_equal(kit_view_only(view, &crew_wish), &crew[1]);
    atomic_store(&crew[1].admin, KIT_DRAINING);
    assert_null(kit_view_only(view, &crew_wish));
    kit_view_free(view);
}

static void shares_grow_after_joining(void **state)
{
    static const struct {
        uint64_t after_us;
        double share;
    } times[] = {{0, 0.1}, {5 * SECOND_US, 0.55}, {5 * SECOND_US + 500000, 0.595}, {10 * SECOND_US, 1}};

    for (int balance = KIT_BEST; balance <= KIT_RANDOM; balance++) {
        for (size_t i = 0; i < 4; i++) {
            kit_view_t *view;
            double share, expected = times[i].share / 5;
            crew_make_equal(5);
            crew_settings.slow_start_ms = 10000;
            atomic_store(&crew[2].joined_at_us, crew_wish.now_us - times[i].after_us);
            view = crew_view((kit_balance_t)balance);
            for (size_t k = 0; k < 5 && balance == KIT_LEAST; k++) /* nobody but the new one and one more is free */
                atomic_store(&crew[k].handicap, k == 2 || k == 3 ? 0 : 4);
            crew_draw(view);
            share = (double)crew_drawn[2] / DRAWN;
            if (balance == KIT_LEAST) /* the first of the two from a random start: in four starts of five */
                expected = times[i].share * 0.8;
            assert_near(share, expected, 3 * sqrt(expected * (1 - expected) / DRAWN));
            if (balance != KIT_LEAST) /* its neighbours do not get more than others of what it leaves */
                assert_near((double)crew_drawn[3] / DRAWN, (1 - expected) / 4, 0.005);
            kit_view_free(view);
        }
    }
}

static void ramps_of_unequal_weights(void **state)
{
    kit_view_t *view;

    crew_make(3, (const uint32_t[]){300, 100, 200}, 3);
    crew_settings.slow_start_ms = 10000;
    atomic_store(&crew[0].joined_at_us, crew_wish.now_us - 5 * SECOND_US);
    view = crew_view(KIT_RANDOM);
    crew_draw(view);
    assert_near((double)crew_drawn[0] / DRAWN, 0.275, 0.003);
    assert_near((double)crew_drawn[2] / DRAWN, 0.725 * 2 / 3, 0.004);
    atomic_store(&crew[1].quarantine, KIT_SILENT);
    atomic_store(&crew[2].quarantine, KIT_SILENT);
    assert_picks(view, 0, KIT_BY_DICE); /* nobody else is there */
    kit_view_free(view);
}

static void ramps_are_suspended_when_most_would_ramp(void **state)
{
    kit_view_t *view;

    crew_make_equal(4);
    crew_settings.slow_start_ms = 10000;
    for (size_t i = 0; i < 3; i++) {
        atomic_store(&crew[i].joined_at_us, crew_wish.now_us - SECOND_US * i);
        atomic_store(&crew[i].request_limit, 100);
    }
    view = crew_view(KIT_RANDOM);
    crew_draw(view);
    assert_near((double)crew_drawn[0] / DRAWN, 0.25, 0.003);
    assert_int_equal(kit_request_limit(view, &crew[0], crew_wish.now_us), 100);
    crew_wish.now_us += 9 * SECOND_US; /* one is through, two are half of the weight */
    kit_view_refresh(view, crew_wish.now_us);
    assert_int_equal(kit_request_limit(view, &crew[0], crew_wish.now_us), 91);
    assert_int_equal(kit_request_limit(view, &crew[1], crew_wish.now_us), 100);
    assert_int_equal(kit_request_limit(view, &crew[3], crew_wish.now_us), 0);
    kit_view_free(view);
}

static void limits_ramp_too(void **state)
{
    kit_view_t *view;

    crew_make_equal(2);
    crew_settings.slow_start_ms = 10000;
    crew_wish.tried = (const weir_member_t *const *)((weir_member_t *[]){&crew[1]});
    crew_wish.tried_count = 1;
    atomic_store(&crew[0].joined_at_us, crew_wish.now_us);
    atomic_store(&crew[0].request_limit, 30);
    view = crew_view(KIT_BEST);
    assert_int_equal(kit_request_limit(view, &crew[0], crew_wish.now_us), 3);
    assert_int_equal(kit_request_limit(view, &crew[0], crew_wish.now_us - SECOND_US), 3); /* a clock behind */
    assert_int_equal(kit_request_limit(view, &crew[0], crew_wish.now_us + 10 * SECOND_US), 30);
    atomic_store(&crew[0].load, 2 * KIT_ONE_IN_FLIGHT);
    assert_picks(view, 0, KIT_BY_BEST);
    atomic_store(&crew[0].load, 3 * KIT_ONE_IN_FLIGHT);
    assert_none(view, KIT_ALL_FULL);
    crew_wish.now_us += 5 * SECOND_US;
    assert_picks(view, 0, KIT_BY_BEST);
    atomic_store(&crew[0].request_limit, 1);
    assert_int_equal(kit_request_limit(view, &crew[0], crew_wish.now_us), 1);
    kit_view_free(view);
}

/* What a thread chooses, while another one turns everything upside down. */
static void *choose_on(void *context)
{
    const kit_view_t *view = context;
    uint64_t dice = 42, chosen = 0;
    kit_wish_t wish = crew_wish;

    wish.dice_context = &dice;
    for (int i = 0; i < DRAWN / 8; i++) {
        kit_pick_t pick;
        wish.key = crew_throw(&dice);
        wish.ticket++;
        wish.now_us += 10;
        pick = kit_choose(view, &wish);
        if (pick.member == NULL)
            continue;
        atomic_fetch_add(&pick.member->load, KIT_ONE_IN_FLIGHT);
        chosen += kit_request_limit(view, pick.member, wish.now_us) > 0;
        atomic_fetch_sub(&pick.member->load, KIT_ONE_IN_FLIGHT);
    }
    return chosen > 0 ? context : NULL;
}

static void states_may_change_meanwhile(void **state)
{
    for (int balance = KIT_BEST; balance <= KIT_HASH; balance++) {
        pthread_t threads[2];
        kit_view_t *view;
        void *has_chosen;
        crew_make(40, (const uint32_t[]){1, 2, 2, 2}, 4);
        crew_settings.slow_start_ms = 1000;
        crew_wish.has_key = crew_wish.may_be_trial = crew_wish.tries_ill = true;
        for (size_t i = 0; i < 40; i++)
            atomic_store(&crew[i].request_limit, 1000);
        view = crew_view((kit_balance_t)balance);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, choose_on, view), 0);
        for (int i = 0; i < 5000; i++) {
            weir_member_t *member = &crew[crew_throw(&crew_dice) % 40];
            atomic_store(&member->check, (uint8_t)(crew_throw(&crew_dice) % 4));
            atomic_store(&member->quarantine, (uint8_t)(crew_throw(&crew_dice) % 5));
            atomic_store(&member->has_trial, (uint8_t)(crew_throw(&crew_dice) % 2));
            atomic_store(&member->joined_at_us, crew_wish.now_us);
            kit_view_refresh(view, crew_wish.now_us);
        }
        for (size_t i = 0; i < 2; i++) {
            pthread_join(threads[i], &has_chosen);
            assert_ptr_equal(has_chosen, view);
        }
        for (size_t i = 0; i < 40; i++)
            assert_int_equal(atomic_load(&crew[i].load), 0);
        kit_view_free(view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_has_those_that_are_up),
        cmocka_unit_test(the_lowest_tier_with_anybody_is_asked),
        cmocka_unit_test(full_tiers_spill_if_wished),
        cmocka_unit_test(some_may_not_be_had),
        cmocka_unit_test(none_is_told_by_the_best_hope),
        cmocka_unit_test(panic_ignores_checks_but_no_quarantine),
        cmocka_unit_test(starting_ones_are_waited_for),
        cmocka_unit_test(a_check_never_takes_the_only_one_out),
        cmocka_unit_test(a_trial_is_one_request_that_may_be_one),
        cmocka_unit_test(a_trial_does_not_wait_for_ever),
        cmocka_unit_test(a_backup_is_not_tried_without_need),
        cmocka_unit_test(the_ill_are_tried_in_turn),
        cmocka_unit_test(the_only_one),
        cmocka_unit_test(shares_grow_after_joining),
        cmocka_unit_test(ramps_of_unequal_weights),
        cmocka_unit_test(ramps_are_suspended_when_most_would_ramp),
        cmocka_unit_test(limits_ramp_too),
        cmocka_unit_test(states_may_change_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
