/* SPDX-License-Identifier: MIT */
/* What goes, and what stays though the store has it no more: how much is too much, leases, and what ends the waiting. */
#include "state_world.h"

#include "lib/state/guard.h"

enum { LOST_MOST = 1000 };

/* ---- the guard alone ---- */

static void test_how_much_is_too_much(void **state)
{
    static const struct {
        size_t count, lost;
        bool may;
    } cases[] = {{1, 1, true},     {100, 100, true},  {101, 100, true},        {101, 101, false},       {504, 101, false},
                 {505, 101, true}, {505, 102, false}, {1000, 200, true},       {1000, 201, false},      {0, 0, true},
                 {1000, 0, true},  {0, 100, true},    {1000000, 200000, true}, {1000000, 200001, false}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        state_guard_t guard = {0};
        if (state_guard_lets(&guard, cases[i].count, cases[i].lost, 5) != cases[i].may)
            fail_msg("%zu of %zu", cases[i].lost, cases[i].count);
    }
}

static void test_a_window_has_an_end(void **state)
{
    state_guard_t guard = {0};

    assert_true(state_guard_lets(&guard, 400, 60, 1));
    assert_true(state_guard_lets(&guard, 340, 40, 2));
    assert_false(state_guard_lets(&guard, 300, 1, 3));
    assert_false(state_guard_lets(&guard, 300, 1, 1 + STATE_GUARD_WINDOW_US));
    assert_true(state_guard_lets(&guard, 300, 1, 2 + STATE_GUARD_WINDOW_US));
    assert_true(state_guard_lets(&guard, 299, 99, 3 + STATE_GUARD_WINDOW_US));
    assert_false(state_guard_lets(&guard, 200, 1, 4 + STATE_GUARD_WINDOW_US));
    state_guard_begin(&guard);
    assert_true(state_guard_lets(&guard, 200, 100, 5 + STATE_GUARD_WINDOW_US));
}

static void test_what_may_not_go_does_not_count(void **state)
{
    state_guard_t guard = {0};

    assert_false(state_guard_lets(&guard, 300, 250, 1));
    assert_true(state_guard_lets(&guard, 300, 100, 2));
    assert_false(state_guard_lets(&guard, 200, 1, 3));
}

/* ---- kinds ---- */

/* KIND/…I for each I below `count`. */
static void put_many(const char *format, const char *value, int count)
{
    char key[64];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), format, i);
        puts_key(key, value);
    }
}

static void lose_many(const char *format, int from, int count, bool is_all)
{
    static state_object_t *lost[LOST_MOST];
    char key[64];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), format, from + i);
        lost[i] = object_of(key);
        assert_non_null(lost[i]);
    }
    state_step_lose(&step, lost, (size_t)count, is_all, now_us);
}

static void test_each_kind_has_its_guard(void **state)
{
    puts_key("apps/shop", "{}");
    put_many("apps/a%d", "{}", 150);
    put_many("backends/shop/b%d", "{\"addr\":\"h:1\"}", 150);
    put_many("domains/d%d.test", "{\"app\":\"shop\"}", 150);
    commit();
    lose_many("apps/a%d", 0, 60, false);
    lose_many("backends/shop/b%d", 0, 60, false);
    lose_many("domains/d%d.test", 0, 60, false);
    assert_int_equal(state_step_held(&step), 0);
    lose_many("apps/a%d", 60, 90, false);
    assert_int_equal(step.table.absent[STATE_APP], 90);
    lose_many("backends/shop/b%d", 60, 90, false);
    assert_int_equal(step.table.absent[STATE_BACKEND], 90);
    lose_many("domains/d%d.test", 60, 90, false);
    assert_int_equal(step.table.absent[STATE_DOMAIN], 90);
    assert_int_equal(state_step_held(&step), 270);
}

static void test_certificates_have_none(void **state)
{
    put_many("certs/c%d", "{}", 300);
    put_many("config/c%d", "{}", 300);
    lose_many("certs/c%d", 0, 300, false);
    lose_many("config/c%d", 0, 300, false);
    assert_int_equal(state_step_held(&step), 0);
    assert_int_equal(step.table.objects.count, 0);
}

static void test_of_an_empty_store_all_is_held(void **state)
{
    puts_key("apps/shop", "{}");
    puts_key("certs/x", "{}");
    puts_key("meta", "{}");
    puts_key("config/defaults", "{\"x\":\"1\"}");
    commit();
    state_object_t *lost[] = {object_of("apps/shop"), object_of("certs/x"), object_of("meta"), object_of("config/defaults")};
    state_step_lose(&step, lost, 4, true, now_us);
    calls = 0;
    commit();
    assert_int_equal(calls, 0);
    assert_int_equal(state_step_held(&step), 4);
    assert_string_equal(json_of("shop"), "{\"x\":\"1\",\"backends\":[]}");
    assert_int_equal(state_step_accept(&step), 4);
    commit();
    assert_string_equal(json_of("shop"), "");
    assert_int_equal(step.table.objects.count, 0);
    assert_int_equal(step.table.slots.count, 0);
}

/* ---- held ---- */

static void test_held_it_comes_back(void **state)
{
    put_many("apps/a%d", "{}", 200);
    commit();
    lose_many("apps/a%d", 0, 150, false);
    commit();
    assert_int_equal(state_step_held(&step), 150);
    puts_key("apps/a7", "{}");
    puts_key("apps/a8", "{\"x\":\"1\"}");
    commit();
    assert_int_equal(state_step_held(&step), 148);
    assert_int_equal(state_step_accept(&step), 148);
    commit();
    assert_string_equal(json_of("a6"), "");
    assert_string_equal(json_of("a7"), "{\"backends\":[]}");
    assert_string_equal(json_of("a8"), "{\"x\":\"1\",\"backends\":[]}");
    assert_int_equal(step.table.counts[STATE_APP], 52);
}

static void test_held_it_comes_back_and_is_refused(void **state)
{
    poison = "bad";
    put_many("apps/a%d", "{}", 200);
    commit();
    lose_many("apps/a%d", 0, 150, false);
    commit();
    puts_key("apps/a7", "{\"x\":\"bad\"}");
    commit();
    assert_string_equal(why_not("apps/a7"), "refused");
    assert_string_equal(json_of("a7"), "{\"backends\":[]}");
    assert_int_equal(step.table.counts[STATE_APP], 200);
    assert_int_equal(state_step_held(&step), 149); /* the store has the key */
}

static void test_accepted_the_next_ones_are_counted_anew(void **state)
{
    put_many("apps/a%d", "{}", 300);
    commit();
    lose_many("apps/a%d", 0, 150, false);
    assert_int_equal(state_step_accept(&step), 150);
    lose_many("apps/a%d", 150, 100, false);
    assert_int_equal(state_step_held(&step), 0);
    lose_many("apps/a%d", 250, 1, false);
    assert_int_equal(state_step_held(&step), 1);
    assert_int_equal(state_step_accept(&step), 1);
    assert_int_equal(state_step_accept(&step), 0);
}

static void test_what_is_held_is_not_what_there_is(void **state)
{
    put_many("apps/a%d", "{}", 600);
    lose_many("apps/a%d", 0, 200, false);
    assert_int_equal(state_step_held(&step), 200);
    now_us += STATE_GUARD_WINDOW_US + 1;
    lose_many("apps/a%d", 200, 101, false); /* of 400, not of 600 */
    assert_int_equal(state_step_held(&step), 301);
}

/* ---- leases ---- */

static void put_leased(int count)
{
    char key[64];

    puts_key("apps/shop", "{}");
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "backends/shop/w%d", i);
        put_of(key, "{\"addr\":\"h:1\"}", true);
    }
    commit();
}

static void test_how_many_stay(void **state)
{
    static const unsigned staying[] = {0, 0, 1, 2, 2, 3, 3, 4, 4};

    for (int count = 1; count < 9; count++) {
        put_leased(count);
        for (int i = 0; i < count; i++)
            lose_many("backends/shop/w%d", i, 1, false);
        commit();
        if (step.table.absent[STATE_BACKEND] != staying[count])
            fail_msg("%zu of %d stay", step.table.absent[STATE_BACKEND], count);
        assert_int_equal(object_of("apps/shop")->slot->suspects, staying[count]);
        (void)close_step(state);
        (void)open_step(state);
    }
}

static void test_all_at_once_as_one_by_one(void **state)
{
    put_leased(4);
    lose_many("backends/shop/w%d", 0, 4, false);
    commit();
    assert_int_equal(state_step_held(&step), 2);
    assert_non_null(object_of("backends/shop/w2"));
    assert_true(object_of("backends/shop/w2")->is_suspect);
}

static void test_slowly_all_may_go(void **state)
{
    put_leased(5);
    for (int i = 0; i < 5; i++) {
        lose_many("backends/shop/w%d", i, 1, false);
        now_us += STATE_GUARD_WINDOW_US + 1;
    }
    commit();
    assert_int_equal(state_step_held(&step), 0);
    assert_string_equal(json_of("shop"), "{\"backends\":[]}");
}

static void test_one_of_them_comes_back(void **state)
{
    put_leased(4);
    lose_many("backends/shop/w%d", 0, 4, false);
    put_of("backends/shop/w2", "{\"addr\":\"h:1\"}", true); /* one of those that are kept */
    commit();
    assert_int_equal(state_step_held(&step), 0);
    assert_string_equal(json_of("shop"), "{\"backends\":[{\"id\":\"w2\",\"at\":\"h:1\"}]}");
    assert_int_equal(object_of("apps/shop")->slot->suspects, 0);
}

static void test_one_of_another_app_ends_nothing(void **state)
{
    put_leased(4);
    lose_many("backends/shop/w%d", 0, 4, false);
    put_of("backends/other/w", "{\"addr\":\"h:1\"}", true);
    puts_key("domains/x.test", "{\"app\":\"shop\"}");
    commit();
    assert_int_equal(state_step_held(&step), 2);
}

static void test_one_that_is_refused_ends_nothing(void **state)
{
    put_leased(2);
    lose_many("backends/shop/w%d", 0, 2, false);
    commit();
    puts_key("backends/shop/w9", "no JSON");
    commit();
    assert_int_equal(state_step_held(&step), 1);
    poison = "bad";
    puts_key("backends/shop/w8", "{\"addr\":\"bad:1\"}");
    commit();
    assert_string_equal(why_not("backends/shop/w8"), "refused");
    assert_int_equal(state_step_held(&step), 1);
    assert_non_null(strstr(json_of("shop"), "\"w1\""));
}

static void test_suspects_are_accepted(void **state)
{
    put_leased(3);
    lose_many("backends/shop/w%d", 0, 3, false);
    assert_int_equal(state_step_accept(&step), 2);
    commit();
    assert_string_equal(json_of("shop"), "{\"backends\":[]}");
    assert_int_equal(object_of("apps/shop")->slot->suspects, 0);
}

static void test_suspects_of_an_app_that_goes(void **state)
{
    put_leased(3);
    lose_many("backends/shop/w%d", 0, 3, false);
    loses("apps/shop");
    commit();
    assert_string_equal(json_of("shop"), "");
    assert_int_equal(state_step_accept(&step), 2);
    commit();
    assert_int_equal(step.table.slots.count, 0);
}

static void test_the_guard_comes_before_the_leases(void **state)
{
    put_leased(200);
    lose_many("backends/shop/w%d", 0, 200, false);
    assert_int_equal(state_step_held(&step), 200);
    assert_int_equal(object_of("apps/shop")->slot->suspects, 0);
    put_of("backends/shop/new", "{\"addr\":\"h:1\"}", true);
    commit();
    assert_int_equal(state_step_held(&step), 200);
}

#define WITH_STEP(test) cmocka_unit_test_setup_teardown(test, open_step, close_step)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_much_is_too_much),
        cmocka_unit_test(test_a_window_has_an_end),
        cmocka_unit_test(test_what_may_not_go_does_not_count),
        WITH_STEP(test_each_kind_has_its_guard),
        WITH_STEP(test_certificates_have_none),
        WITH_STEP(test_of_an_empty_store_all_is_held),
        WITH_STEP(test_held_it_comes_back),
        WITH_STEP(test_held_it_comes_back_and_is_refused),
        WITH_STEP(test_accepted_the_next_ones_are_counted_anew),
        WITH_STEP(test_what_is_held_is_not_what_there_is),
        WITH_STEP(test_how_many_stay),
        WITH_STEP(test_all_at_once_as_one_by_one),
        WITH_STEP(test_slowly_all_may_go),
        WITH_STEP(test_one_of_them_comes_back),
        WITH_STEP(test_one_of_another_app_ends_nothing),
        WITH_STEP(test_one_that_is_refused_ends_nothing),
        WITH_STEP(test_suspects_are_accepted),
        WITH_STEP(test_suspects_of_an_app_that_goes),
        WITH_STEP(test_the_guard_comes_before_the_leases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
