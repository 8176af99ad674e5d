/* SPDX-License-Identifier: MIT */
/* A document is refused: which of its keys are found to be to blame, by how many questions, and what holds meanwhile. */
#include "state_world.h"

static unsigned trials;

static void put_and_count(void *context, state_change_t *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        trials += changes[i].is_trial;
    put_in_force(context, changes, count);
}

static int open_counted(void **state)
{
    (void)open_step(state);
    step.apply = put_and_count;
    trials = 0;
    poison = "bad";
    return 0;
}

static void put_backends(int count, const char *bad_ones)
{
    char key[64], word[16];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "backends/shop/b%d", i);
        snprintf(word, sizeof(word), " %d ", i);
        puts_key(key, strstr(bad_ones, word) != NULL ? "{\"addr\":\"bad:1\"}" : "{\"addr\":\"h:1\"}");
    }
}

/* How many of the backends the document has that is in force. */
static int backends_in_force(int count)
{
    char word[16];
    int seen = 0;

    for (int i = 0; i < count; i++) {
        snprintf(word, sizeof(word), "\"b%d\"", i);
        seen += strstr(json_of("shop"), word) != NULL;
    }
    return seen;
}

/* ---- one of many ---- */

static void test_whichever_it_is_it_is_found(void **state)
{
    char bad[16], key[64];

    for (int i = 0; i < 33; i++) {
        puts_key("apps/shop", "{}");
        snprintf(bad, sizeof(bad), " %d ", i);
        snprintf(key, sizeof(key), "backends/shop/b%d", i);
        put_backends(33, bad);
        commit();
        assert_string_equal(why_not(key), "refused");
        assert_int_equal(step.troubles.by_key.count, 1);
        assert_int_equal(backends_in_force(33), 32);
        (void)close_step(state);
        (void)open_counted(state);
    }
}

static void test_a_thousand_need_few_questions(void **state)
{
    puts_key("apps/shop", "{}");
    put_backends(1000, " 777 ");
    commit();
    assert_string_equal(why_not("backends/shop/b777"), "refused");
    assert_int_equal(backends_in_force(1000), 999);
    assert_in_range(trials, 10, 30);
}

static void test_several_are_found(void **state)
{
    puts_key("apps/shop", "{}");
    put_backends(20, " 0 7 8 19 ");
    commit();
    assert_int_equal(step.troubles.counts[STATE_BAD_REFUSED], 4);
    assert_int_equal(backends_in_force(20), 16);
    assert_string_equal(why_not("backends/shop/b8"), "refused");
    assert_string_equal(why_not("backends/shop/b9"), "");
}

static void test_all_of_them(void **state)
{
    puts_key("apps/shop", "{\"x\":\"bad\"}");
    put_backends(3, " 0 1 2 ");
    commit();
    assert_string_equal(why_not("apps/shop"), "refused");
    assert_string_equal(json_of("shop"), "");
    assert_true(weir_list_is_empty(&step.table.dirty));
}

static void test_each_kind_of_key(void **state)
{
    puts_key("apps/shop", "{\"x\":\"1\"}");
    puts_key("domains/bad.test", "{\"app\":\"shop\"}");
    puts_key("domains/shop.test", "{\"app\":\"shop\"}");
    put_backends(2, " 1 ");
    commit();
    assert_string_equal(why_not("domains/bad.test"), "refused");
    assert_string_equal(why_not("backends/shop/b1"), "refused");
    assert_string_equal(json_of("shop"),
                        "{\"x\":\"1\",\"domains\":[\"shop.test\"],\"backends\":[{\"id\":\"b0\",\"at\":\"h:1\"}]}");
    puts_key("apps/shop", "{\"x\":\"bad\"}");
    commit();
    assert_string_equal(why_not("apps/shop"), "refused");
    assert_non_null(strstr(json_of("shop"), "\"x\":\"1\""));
}

/* ---- what was said of it ---- */

static void test_what_was_refused_can_be_read(void **state)
{
    const state_trouble_t *trouble;

    puts_key("apps/shop", "{}");
    put_of("domains/bad.test", "{\"app\":\"shop\",\"path\":\"/a\"}", false);
    put_of("backends/shop/b", "{\"at\":\"bad:1\",\"weight\":7}", true);
    commit();
    trouble = state_troubles_find(&step.troubles, WEIR_SPAN("domains/bad.test"));
    assert_non_null(trouble);
    assert_string_equal(trouble->why, "there is poison");
    assert_int_equal(trouble->value_length, strlen("{\"app\":\"shop\",\"path\":\"/a\"}"));
    assert_memory_equal(trouble->value, "{\"app\":\"shop\",\"path\":\"/a\"}", trouble->value_length);
    assert_int_equal(trouble->mod_revision, revision - 1);
    trouble = state_troubles_find(&step.troubles, WEIR_SPAN("backends/shop/b"));
    assert_non_null(trouble);
    assert_true(trouble->has_lease);
    assert_int_equal(trouble->mod_revision, revision);
    assert_int_equal(step.troubles.refused, 2);
}

static void test_retried_it_is_as_it_was_said(void **state)
{
    puts_key("apps/shop", "{}");
    put_of("domains/bad.test", "{\"app\":\"shop\",\"path\":\"/a\"}", true);
    puts_key("domains/bad.also", "{\"redirect\":\"shop.test:81\"}");
    commit();
    assert_int_equal(step.troubles.by_key.count, 2);
    const int64_t said_at = revision;
    poison = NULL;
    state_step_retry(&step, now_us);
    commit();
    assert_int_equal(step.troubles.by_key.count, 0);
    assert_string_equal(json_of("shop"), "{\"domains\":[\"bad.test/a\"],\"backends\":[]}");
    assert_string_equal(json_of("redirect-to:shop.test:81"),
                        "{\"redirect-to\":\"shop.test:81\",\"domains\":[\"bad.also\"],\"backends\":[]}");
    assert_true(object_of("domains/bad.test")->has_lease);
    assert_int_equal(object_of("domains/bad.test")->mod_revision, said_at - 1);
    assert_int_equal(object_of("domains/bad.also")->mod_revision, said_at);
}

static void test_only_what_others_may_take_is_retried(void **state)
{
    puts_key("apps/shop", "no JSON");
    puts_key("domains/a.test", "{\"redirect\":\"a.test\"}");
    assert_string_equal(why_not("domains/a.test"), "loop");
    const uint64_t refused = step.troubles.refused;
    state_step_retry(&step, now_us);
    commit();
    assert_string_equal(why_not("apps/shop"), "json");
    assert_string_equal(why_not("domains/a.test"), "loop");
    assert_int_equal(step.troubles.refused, refused + 1); /* the loop, again */
}

/* A redirect that led back leads on, as soon as one of them has gone, and somebody asks. */
static void test_a_loop_that_is_none_any_more(void **state)
{
    puts_key("domains/a.test", "{\"redirect\":\"b.test\"}");
    puts_key("domains/b.test", "{\"redirect\":\"a.test\"}");
    commit();
    assert_string_equal(why_not("domains/b.test"), "loop");
    loses("domains/a.test");
    state_step_retry(&step, now_us);
    commit();
    assert_string_equal(why_not("domains/b.test"), "");
    assert_non_null(strstr(json_of("redirect-to:a.test"), "\"b.test\""));
}

static void test_a_good_value_ends_the_trouble(void **state)
{
    puts_key("apps/shop", "{\"x\":\"1\"}");
    commit();
    puts_key("apps/shop", "{\"x\":\"bad\"}");
    commit();
    puts_key("apps/shop", "{\"x\":\"1\"}"); /* as it is all the time */
    assert_string_equal(why_not("apps/shop"), "");
    calls = 0;
    commit();
    assert_int_equal(calls, 0);
}

/* ---- what is nobody's fault ---- */

static void test_nothing_new_is_to_blame(void **state)
{
    puts_key("apps/shop", "{\"x\":\"no\"}");
    commit();
    poison = "no"; /* another router, which would not have what there is */
    puts_key("domains/a.test", "{\"app\":\"shop\"}");
    commit();
    assert_int_equal(step.troubles.by_key.count, 0);
    assert_non_null(object_of("domains/a.test"));
    assert_string_equal(json_of("shop"), "{\"x\":\"no\",\"backends\":[]}");
    poison = NULL;
    puts_key("domains/b.test", "{\"app\":\"shop\"}");
    commit();
    assert_string_equal(json_of("shop"), "{\"x\":\"no\",\"domains\":[\"a.test\",\"b.test\"],\"backends\":[]}");
}

static void test_others_of_the_batch_hold(void **state)
{
    char key[64];

    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "apps/app%d", i);
        puts_key(key, i % 10 == 3 ? "{\"x\":\"bad\"}" : "{}");
    }
    commit();
    assert_int_equal(step.troubles.counts[STATE_BAD_REFUSED], 5);
    assert_string_equal(json_of("app3"), "");
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "app%d", i);
        assert_true((json_of(key)[0] == '\0') == (i % 10 == 3));
    }
}

/* A backend comes before its app does, which is where agents are faster than whoever creates the app. */
static void test_what_waited_may_be_to_blame(void **state)
{
    puts_key("backends/shop/b", "{\"addr\":\"bad:1\"}");
    commit();
    assert_non_null(object_of("backends/shop/b"));
    puts_key("apps/shop", "{}");
    commit();
    assert_string_equal(why_not("apps/shop"), "refused"); /* what has waited was there before: the app is to blame */
    puts_key("backends/shop/b", "{\"addr\":\"h:1\"}");
    commit();
    assert_string_equal(why_not("apps/shop"), "");
    assert_string_equal(json_of("shop"), "{\"backends\":[{\"id\":\"b\",\"at\":\"h:1\"}]}");
}

/* ---- troubles ---- */

static void test_troubles_have_an_end(void **state)
{
    char key[64];

    for (int i = 0; i < STATE_TROUBLES_MOST + 10; i++) {
        snprintf(key, sizeof(key), "apps/app%d", i);
        puts_key(key, "no JSON");
    }
    assert_int_equal(step.troubles.by_key.count, STATE_TROUBLES_MOST);
    assert_int_equal(step.troubles.counts[STATE_BAD_JSON], STATE_TROUBLES_MOST);
    assert_int_equal(step.troubles.refused, STATE_TROUBLES_MOST + 10);
}

static void test_troubles_of_a_snapshot(void **state)
{
    puts_key("apps/a", "no JSON");
    puts_key("apps/b", "[]");
    state_troubles_begin(&step.troubles);
    puts_key("apps/b", "[]");
    state_troubles_sweep(&step.troubles);
    assert_string_equal(why_not("apps/a"), "");
    assert_string_equal(why_not("apps/b"), "type");
    assert_int_equal(step.troubles.counts[STATE_BAD_JSON], 0);
    assert_int_equal(step.troubles.counts[STATE_BAD_TYPE], 1);
}

static void test_the_same_again_is_not_new(void **state)
{
    static char value[STATE_VALUE_MOST + 2];
    const state_raw_t none = {WEIR_SPAN("apps/a"), {NULL, 0}, 1, false};
    const state_raw_t some = {WEIR_SPAN("apps/b"), WEIR_SPAN("x"), 1, false};
    const state_raw_t other = {WEIR_SPAN("apps/b"), WEIR_SPAN("x"), 2, false};
    const state_raw_t most = {WEIR_SPAN("apps/c"), {value, STATE_VALUE_MOST}, 1, false};
    const state_raw_t more = {WEIR_SPAN("apps/d"), {value, STATE_VALUE_MOST + 1}, 1, false};

    assert_true(state_troubles_add(&step.troubles, &none, STATE_BAD_JSON, ""));
    assert_false(state_troubles_add(&step.troubles, &none, STATE_BAD_JSON, ""));
    assert_true(state_troubles_add(&step.troubles, &some, STATE_BAD_JSON, ""));
    assert_false(state_troubles_add(&step.troubles, &some, STATE_BAD_JSON, ""));
    assert_true(state_troubles_add(&step.troubles, &other, STATE_BAD_JSON, ""));
    assert_true(state_troubles_add(&step.troubles, &most, STATE_BAD_JSON, ""));
    assert_false(state_troubles_add(&step.troubles, &most, STATE_BAD_JSON, ""));
    assert_true(state_troubles_add(&step.troubles, &more, STATE_BAD_LENGTH, ""));
    assert_false(state_troubles_add(&step.troubles, &more, STATE_BAD_LENGTH, ""));
}

#define WITH_STEP(test) cmocka_unit_test_setup_teardown(test, open_counted, close_step)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_STEP(test_whichever_it_is_it_is_found),
        WITH_STEP(test_a_thousand_need_few_questions),
        WITH_STEP(test_several_are_found),
        WITH_STEP(test_all_of_them),
        WITH_STEP(test_each_kind_of_key),
        WITH_STEP(test_what_was_refused_can_be_read),
        WITH_STEP(test_retried_it_is_as_it_was_said),
        WITH_STEP(test_only_what_others_may_take_is_retried),
        WITH_STEP(test_a_loop_that_is_none_any_more),
        WITH_STEP(test_a_good_value_ends_the_trouble),
        WITH_STEP(test_nothing_new_is_to_blame),
        WITH_STEP(test_others_of_the_batch_hold),
        WITH_STEP(test_what_waited_may_be_to_blame),
        WITH_STEP(test_troubles_have_an_end),
        WITH_STEP(test_troubles_of_a_snapshot),
        WITH_STEP(test_the_same_again_is_not_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
