/* SPDX-License-Identifier: MIT */
/* Documents go in batches: how they end, what goes with them, and apps that come and go in the middle of a step. */
#include "state_world.h"

static bool is_open; /* the last change that was put said that others follow */
static unsigned ends;
static size_t sizes[16];

/* What is put, and whether it has an end. */
static void put_and_note(void *context, state_change_t *changes, size_t count)
{
    if (count > 0 && !changes[0].is_trial) {
        sizes[calls % (sizeof(sizes) / sizeof(sizes[0]))] = count;
        for (size_t i = 0; i < count; i++)
            ends += !changes[i].has_more;
        is_open = changes[count - 1].has_more;
    }
    put_in_force(context, changes, count);
}

static int open_noted(void **state)
{
    (void)open_step(state);
    step.apply = put_and_note;
    is_open = false;
    ends = 0;
    memset(sizes, 0, sizeof(sizes));
    return 0;
}

static void put_apps(int from, int count)
{
    char key[64];

    for (int i = from; i < from + count; i++) {
        snprintf(key, sizeof(key), "apps/app%d", i);
        puts_key(key, "{}");
    }
}

static size_t apps_in_force(void)
{
    size_t count = 0;

    for (size_t i = 0; i < in_force_count; i++)
        count += in_force[i].json != NULL;
    return count;
}

/* ---- sizes ---- */

static void test_each_size_has_one_end(void **state)
{
    static const int counts[] = {1, 2, STATE_CHANGES_MOST - 1, STATE_CHANGES_MOST, STATE_CHANGES_MOST + 1};
    int from = 0;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        ends = 0;
        calls = 0;
        put_apps(from, counts[i]);
        from += counts[i];
        commit();
        assert_int_equal(ends, 1);
        assert_false(is_open);
        assert_int_equal(calls, (size_t)(counts[i] + STATE_CHANGES_MOST - 1) / STATE_CHANGES_MOST);
        assert_int_equal(apps_in_force(), from);
    }
}

static void test_batches_are_full_but_the_last(void **state)
{
    put_apps(0, 2 * STATE_CHANGES_MOST + 3);
    commit();
    assert_int_equal(sizes[0], STATE_CHANGES_MOST);
    assert_int_equal(sizes[1], STATE_CHANGES_MOST);
    assert_int_equal(sizes[2], 3);
    assert_int_equal(step.applied, 2 * STATE_CHANGES_MOST + 3);
}

static void test_nothing_is_put_of_nothing(void **state)
{
    commit();
    assert_int_equal(calls, 0);
    puts_key("domains/early.test", "{\"app\":\"soon\"}");
    puts_key("backends/soon/a", "{\"addr\":\"h:1\"}");
    puts_key("certs/x", "{\"chain\":\"y\"}");
    commit();
    assert_int_equal(calls, 0);
    assert_int_equal(step.applied, 0);
    assert_true(weir_list_is_empty(&step.table.dirty));
}

/* A batch is full, and all that is left to do has nothing to be put. */
static void test_a_full_batch_before_what_waits(void **state)
{
    put_apps(0, STATE_CHANGES_MOST);
    puts_key("domains/early.test", "{\"app\":\"soon\"}");
    commit();
    assert_int_equal(apps_in_force(), STATE_CHANGES_MOST);
    assert_int_equal(ends, 1);
    assert_false(is_open);
}

static void test_what_is_refused_goes_back_within_the_step(void **state)
{
    poison = "bad";
    put_apps(0, 3);
    commit();
    ends = 0;
    puts_key("apps/app1", "{\"x\":\"bad\"}");
    puts_key("apps/app2", "{\"x\":\"good\"}");
    commit();
    assert_false(is_open);
    assert_string_equal(json_of("app1"), "{\"backends\":[]}");
    assert_string_equal(json_of("app2"), "{\"x\":\"good\",\"backends\":[]}");
}

/* ---- taken back ---- */

static void withdraw_and_check(int count)
{
    put_apps(0, count);
    commit();
    ends = 0;
    state_step_withdraw(&step);
    assert_int_equal(apps_in_force(), 0);
    assert_int_equal(step.table.objects.count, count);
    assert_false(is_open);
    assert_int_equal(ends, 1);
    calls = 0;
    state_step_withdraw(&step);
    assert_int_equal(calls, 0);
}

static void test_withdrawn(void **state)
{
    withdraw_and_check(3);
}

static void test_withdrawn_a_batch(void **state)
{
    withdraw_and_check(STATE_CHANGES_MOST);
}

static void test_withdrawn_and_put_again(void **state)
{
    put_apps(0, 2);
    commit();
    state_step_withdraw(&step);
    state_table_touch(&step.table, object_of("apps/app0")->slot);
    commit();
    assert_int_equal(apps_in_force(), 1);
    assert_string_not_equal(json_of("app0"), "");
}

/* ---- comings and goings in one step ---- */

static void test_there_and_gone_in_one_step(void **state)
{
    puts_key("apps/shop", "{}");
    puts_key("domains/shop.test", "{\"app\":\"shop\"}");
    loses("domains/shop.test");
    loses("apps/shop");
    commit();
    assert_int_equal(calls, 0);
    assert_int_equal(step.table.slots.count, 0);
    assert_int_equal(step.table.objects.count, 0);
}

static void test_gone_and_there_again_in_one_step(void **state)
{
    puts_key("apps/shop", "{\"x\":\"1\"}");
    commit();
    loses("apps/shop");
    puts_key("apps/shop", "{\"x\":\"2\"}");
    commit();
    assert_int_equal(forced("shop")->puts, 2);
    assert_string_equal(json_of("shop"), "{\"x\":\"2\",\"backends\":[]}");
}

static void test_a_key_changes_twice_in_one_step(void **state)
{
    poison = "bad";
    puts_key("apps/shop", "{\"x\":\"1\"}");
    commit();
    puts_key("apps/shop", "{\"x\":\"2\"}");
    puts_key("apps/shop", "{\"x\":\"bad\"}");
    commit();
    assert_string_equal(why_not("apps/shop"), "refused");
    assert_string_equal(json_of("shop"), "{\"x\":\"1\",\"backends\":[]}");
}

static void test_a_domain_moves_twice_in_one_step(void **state)
{
    put_apps(0, 3);
    puts_key("domains/x.test", "{\"app\":\"app0\"}");
    commit();
    puts_key("domains/x.test", "{\"app\":\"app1\"}");
    puts_key("domains/x.test", "{\"app\":\"app2\"}");
    commit();
    assert_string_equal(json_of("app0"), "{\"backends\":[]}");
    assert_string_equal(json_of("app1"), "{\"backends\":[]}");
    assert_string_equal(json_of("app2"), "{\"domains\":[\"x.test\"],\"backends\":[]}");
}

static void test_a_domain_moves_to_who_is_refused(void **state)
{
    poison = "bad";
    put_apps(0, 1);
    puts_key("domains/x.test", "{\"app\":\"app0\"}");
    puts_key("domains/bad.test", "{\"redirect\":\"y.test\"}");
    commit();
    assert_string_equal(why_not("domains/bad.test"), "refused");
    assert_string_equal(json_of("redirect-to:y.test"), "");
    puts_key("domains/x.test", "{\"redirect\":\"bad.test\"}");
    commit();
    assert_string_equal(why_not("domains/x.test"), "refused");
    assert_string_equal(json_of("app0"), "{\"domains\":[\"x.test\"],\"backends\":[]}");
    assert_null(state_table_slot(&step.table, WEIR_SPAN("redirect-to:bad.test")));
}

/* With the line that is not compiled, "a" is put (it is gone) before "b", which has got its domain. */
static void test_domains_move_in_a_ring(void **state)
{
    puts_key("domains/d.test", "{\"redirect\":\"a.test\"}");
    puts_key("domains/e.test", "{\"redirect\":\"c.test\"}");
    commit();
    puts_key("domains/d.test", "{\"redirect\":\"b.test\"}");
    puts_key("domains/e.test", "{\"redirect\":\"a.test\"}");
    /* The slot of "a" is freed by its heir's state_table_settle(), and then looked at by put_some().
     * puts_key("domains/e.test", "{\"redirect\":\"c.test\"}"); */
    commit();
    assert_string_equal(json_of("redirect-to:c.test"), "");
    assert_non_null(strstr(json_of("redirect-to:b.test"), "\"d.test\""));
    assert_non_null(strstr(json_of("redirect-to:a.test"), "\"e.test\""));
}

#define WITH_STEP(test) cmocka_unit_test_setup_teardown(test, open_noted, close_step)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_STEP(test_each_size_has_one_end),
        WITH_STEP(test_batches_are_full_but_the_last),
        WITH_STEP(test_nothing_is_put_of_nothing),
        WITH_STEP(test_a_full_batch_before_what_waits),
        WITH_STEP(test_what_is_refused_goes_back_within_the_step),
        WITH_STEP(test_withdrawn),
        WITH_STEP(test_withdrawn_a_batch),
        WITH_STEP(test_withdrawn_and_put_again),
        WITH_STEP(test_there_and_gone_in_one_step),
        WITH_STEP(test_gone_and_there_again_in_one_step),
        WITH_STEP(test_a_key_changes_twice_in_one_step),
        WITH_STEP(test_a_domain_moves_twice_in_one_step),
        WITH_STEP(test_a_domain_moves_to_who_is_refused),
        WITH_STEP(test_domains_move_in_a_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
