/* SPDX-License-Identifier: MIT */
/* Keys that come, change and go, as the documents that are in force; what is refused; what does not go at once. */
#include "state_world.h"

#include "weir_digest.h"

/* ---- documents ---- */

static void test_an_app_is_put_together(void **state)
{
    (void)state;
    puts_key("domains/shop.test", "{\"app\":\"shop\"}");
    puts_key("backends/shop/a", "{\"addr\":\"h:1\"}");
    commit();
    assert_string_equal(json_of("shop"), "");
    puts_key("apps/shop", "{\"hold\":\"1s\"}");
    commit();
    assert_string_equal(json_of("shop"),
                        "{\"hold\":\"1s\",\"domains\":[\"shop.test\"],\"backends\":[{\"id\":\"a\",\"at\":\"h:1\"}]}");
    puts_key("domains/shop.test", "{\"app\":\"shop\",\"path\":\"/a\"}");
    puts_key("backends/shop/b", "{\"addr\":\"h:2\"}");
    loses("backends/shop/a");
    commit();
    assert_string_equal(json_of("shop"),
                        "{\"hold\":\"1s\",\"domains\":[\"shop.test/a\"],\"backends\":[{\"id\":\"b\",\"at\":\"h:2\"}]}");
    assert_int_equal(forced("shop")->puts, 2);
    loses("apps/shop");
    commit();
    assert_string_equal(json_of("shop"), "");
    puts_key("apps/shop", "{}");
    commit();
    assert_string_equal(json_of("shop"), "{\"domains\":[\"shop.test/a\"],\"backends\":[{\"id\":\"b\",\"at\":\"h:2\"}]}");
}

static void test_what_says_the_same_is_not_put(void **state)
{
    (void)state;
    puts_key("apps/shop", "{}");
    commit();
    puts_key("apps/shop", " { } ");
    commit();
    assert_int_equal(forced("shop")->puts, 1);
    assert_int_equal(object_of("apps/shop")->mod_revision, revision);
}

static void test_redirects_are_apps_of_their_own(void **state)
{
    (void)state;
    puts_key("domains/a.test", "{\"redirect\":\"b.test\"}");
    puts_key("domains/c.test", "{\"redirect\":\"b.test\"}");
    commit();
    assert_string_equal(json_of("redirect-to:b.test"),
                        "{\"redirect-to\":\"b.test\",\"domains\":[\"a.test\",\"c.test\"],\"backends\":[]}");
    loses("domains/a.test");
    loses("domains/c.test");
    commit();
    assert_string_equal(json_of("redirect-to:b.test"), "");
}

static void test_defaults_are_of_all_apps(void **state)
{
    (void)state;
    puts_key("apps/a", "{}");
    puts_key("apps/b", "{\"hold\":\"2s\"}");
    commit();
    puts_key("config/defaults", "{\"hold\":\"1s\"}");
    commit();
    assert_string_equal(json_of("a"), "{\"hold\":\"1s\",\"backends\":[]}");
    assert_string_equal(json_of("b"), "{\"hold\":\"2s\",\"backends\":[]}");
    loses("config/defaults");
    commit();
    assert_string_equal(json_of("a"), "{\"backends\":[]}");
}

static void test_who_gets_a_domain_is_put_first(void **state)
{
    (void)state;
    puts_key("apps/a", "{}");
    puts_key("apps/b", "{}");
    puts_key("domains/x.test", "{\"app\":\"a\"}");
    commit();
    puts_key("apps/a", "{\"hold\":\"1s\"}"); /* it has changed before */
    puts_key("domains/x.test", "{\"app\":\"b\"}");
    const weir_list_t *first = step.table.dirty.next;
    assert_string_equal(WEIR_AROUND(first, state_slot_t, dirty)->name, "b");
    commit();
    assert_string_equal(json_of("b"), "{\"domains\":[\"x.test\"],\"backends\":[]}");
}

static void test_many_apps_are_put_in_turn(void **state)
{
    char key[64];

    (void)state;
    for (int i = 0; i < 2 * STATE_CHANGES_MOST + 1; i++) {
        snprintf(key, sizeof(key), "apps/app%d", i);
        puts_key(key, "{}");
    }
    commit();
    assert_int_equal(calls, 3);
    assert_int_equal(in_force_count, 2 * STATE_CHANGES_MOST + 1);
    state_step_withdraw(&step);
    for (size_t i = 0; i < in_force_count; i++)
        assert_null(in_force[i].json);
}

/* ---- refusals ---- */

static void test_one_bad_key_of_several(void **state)
{
    char key[64];

    (void)state;
    poison = "bad";
    puts_key("apps/shop", "{}");
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "backends/shop/%d", i);
        puts_key(key, i == 77 ? "{\"addr\":\"bad:1\"}" : "{\"addr\":\"h:1\"}");
    }
    commit();
    assert_string_equal(why_not("backends/shop/77"), "refused");
    assert_null(object_of("backends/shop/77"));
    assert_non_null(object_of("backends/shop/78"));
    assert_true(calls < 60);
    assert_int_equal(step.troubles.by_key.count, 1);
    assert_non_null(strstr(json_of("shop"), "\"99\""));
    assert_null(strstr(json_of("shop"), "bad"));
}

static void test_a_bad_key_keeps_what_was(void **state)
{
    (void)state;
    poison = "bad";
    puts_key("apps/shop", "{}");
    puts_key("backends/shop/a", "{\"addr\":\"h:1\"}");
    commit();
    puts_key("backends/shop/a", "{\"addr\":\"bad:1\"}");
    puts_key("apps/shop", "{\"hold\":\"1s\"}");
    commit();
    assert_string_equal(json_of("shop"), "{\"hold\":\"1s\",\"backends\":[{\"id\":\"a\",\"at\":\"h:1\"}]}");
    assert_string_equal(why_not("backends/shop/a"), "refused");
    puts_key("backends/shop/a", "{\"addr\":\"h:2\"}");
    commit();
    assert_string_equal(why_not("backends/shop/a"), "");
    assert_string_equal(json_of("shop"), "{\"hold\":\"1s\",\"backends\":[{\"id\":\"a\",\"at\":\"h:2\"}]}");
}

static void test_other_routers_may_take_it(void **state)
{
    (void)state;
    poison = "bad";
    puts_key("apps/shop", "{\"x\":\"bad\"}");
    commit();
    assert_string_equal(why_not("apps/shop"), "refused");
    state_step_retry(&step, now_us);
    commit();
    assert_string_equal(why_not("apps/shop"), "refused");
    poison = NULL;
    state_step_retry(&step, now_us);
    commit();
    assert_string_equal(why_not("apps/shop"), "");
    assert_string_equal(json_of("shop"), "{\"x\":\"bad\",\"backends\":[]}");
}

/* The backend and its app are both refused; whichever is tried first, the other one may be settled by it. */
static void test_trying_again_one_settles_another(void **state)
{
    (void)state;
    poison = "bad";
    for (int i = 0; i < 20; i++) {
        char app[64], backend[64];
        snprintf(app, sizeof(app), "apps/shop%d", i);
        snprintf(backend, sizeof(backend), "backends/shop%d/a", i);
        puts_key(app, "{}");
        puts_key(backend, "{\"addr\":\"bad:1\"}");
        commit();
        assert_string_equal(why_not(backend), "refused");
        puts_key(app, "{\"x\":\"bad\"}");
        loses(app);
        puts_key(app, "{\"x\":\"bad\"}");
        commit();
        assert_string_equal(why_not(app), "refused");
    }
    poison = NULL;
    state_step_retry(&step, now_us);
    commit();
    assert_int_equal(step.troubles.by_key.count, 0);
    assert_string_equal(json_of("shop7"), "{\"x\":\"bad\",\"backends\":[{\"id\":\"a\",\"at\":\"bad:1\"}]}");
}

static void test_a_new_app_that_is_refused_is_not_there(void **state)
{
    (void)state;
    poison = "bad";
    puts_key("apps/shop", "{\"x\":\"bad\"}");
    puts_key("domains/x.test", "{\"app\":\"shop\"}");
    commit();
    assert_string_equal(json_of("shop"), "");
    assert_null(object_of("apps/shop"));
    assert_non_null(object_of("domains/x.test")); /* it waits */
    puts_key("apps/shop", "{}");
    commit();
    assert_string_equal(json_of("shop"), "{\"domains\":[\"x.test\"],\"backends\":[]}");
}

/* ---- what goes ---- */

static void put_domains(int count)
{
    char key[64];

    puts_key("apps/shop", "{}");
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "domains/d%d.test", i);
        puts_key(key, "{\"app\":\"shop\"}");
    }
    commit();
}

/* Those from there on go. */
static void lose_domains(int from, int count, bool is_all)
{
    state_object_t *lost[1000];
    char key[64];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "domains/d%d.test", from + i);
        lost[i] = object_of(key);
        assert_non_null(lost[i]);
    }
    state_step_lose(&step, lost, (size_t)count, is_all, now_us);
    commit();
}

static void test_very_much_does_not_go_at_once(void **state)
{
    (void)state;
    put_domains(300);
    lose_domains(0, 100, false);
    assert_int_equal(step.table.counts[STATE_DOMAIN], 200);
    lose_domains(100, 1, false);
    assert_int_equal(state_step_held(&step), 1); /* a hundred were the most for these ten seconds */
    assert_non_null(strstr(json_of("shop"), "\"d100.test\""));
    now_us += STATE_GUARD_WINDOW_US + 1;
    lose_domains(101, 50, false);
    assert_int_equal(state_step_held(&step), 1);
    assert_null(strstr(json_of("shop"), "\"d101.test\""));
    puts_key("domains/d100.test", "{\"app\":\"shop\"}");
    assert_int_equal(state_step_held(&step), 0);
}

static void test_an_empty_store_empties_nothing(void **state)
{
    (void)state;
    put_domains(3);
    lose_domains(0, 3, true);
    assert_int_equal(state_step_held(&step), 3);
    assert_non_null(strstr(json_of("shop"), "\"d0.test\""));
    assert_int_equal(state_step_accept(&step), 3);
    commit();
    assert_string_equal(json_of("shop"), "{\"backends\":[]}");
    assert_int_equal(state_step_held(&step), 0);
}

static void test_leases_that_end_together(void **state)
{
    char key[64];

    (void)state;
    puts_key("apps/shop", "{}");
    for (int i = 0; i < 4; i++) {
        snprintf(key, sizeof(key), "backends/shop/w%d", i);
        put_of(key, "{\"addr\":\"h:1\"}", true);
    }
    puts_key("backends/shop/own", "{\"addr\":\"h:9\"}"); /* without a lease: whoever deletes it means it */
    commit();
    loses("backends/shop/own");
    for (int i = 0; i < 4; i++) {
        snprintf(key, sizeof(key), "backends/shop/w%d", i);
        loses(key);
    }
    commit();
    assert_int_equal(state_step_held(&step), 2);
    assert_non_null(strstr(json_of("shop"), "\"w3\""));
    assert_null(strstr(json_of("shop"), "\"w1\""));
    assert_null(strstr(json_of("shop"), "\"own\""));
    put_of("backends/shop/new", "{\"addr\":\"h:2\"}", true);
    commit();
    assert_string_equal(json_of("shop"), "{\"backends\":[{\"id\":\"new\",\"at\":\"h:2\"}]}");
    assert_int_equal(state_step_held(&step), 0);
}

/* ---- whatever comes ---- */

enum { APPS = 6, IDS = 5, DOMAINS = 12, STEPS = 100000 };

/* What the keys say that are good; -1: there is none. */
static int model_apps[APPS], model_backends[APPS][IDS], model_domains[DOMAINS];
static uint64_t dice;

static unsigned roll(unsigned sides)
{
    static const uint64_t key[2] = {1, 2};

    dice = weir_siphash(key, (weir_span_t){(const char *)&dice, sizeof(dice)});
    return (unsigned)(dice % sides);
}

static char *write_backends(char *at, int app)
{
    const char *before = "";

    for (int id = 0; id < IDS; id++)
        if (model_backends[app][id] >= 0) {
            at += sprintf(at, "%s<%d h:%d>", before, id, model_backends[app][id]);
            before = " ";
        }
    return at;
}

/* An app, in the order of names. */
static void write_model(int app, char *at)
{
    *at = '\0';
    if (model_apps[app] < 0)
        return;
    at += sprintf(at, "%d:", model_apps[app]);
    for (int domain = 0; domain < DOMAINS; domain++)
        if (model_domains[domain] == app)
            at += sprintf(at, " d%d", domain);
    at += sprintf(at, " | ");
    (void)write_backends(at, app);
}

static void write_in_force(int app, char *at)
{
    char name[16], word[64];

    snprintf(name, sizeof(name), "app%d", app);
    const char *json = json_of(name), *hold = strstr(json, "\"v\":\"");
    *at = '\0';
    if (*json == '\0')
        return;
    at += sprintf(at, "%d:", atoi(hold + 5));
    for (int domain = 0; domain < DOMAINS; domain++) {
        snprintf(word, sizeof(word), "\"d%d.test\"", domain);
        at += strstr(json, word) == NULL ? 0 : sprintf(at, " d%d", domain);
    }
    at += sprintf(at, " | ");
    const char *before = "";
    for (int id = 0; id < IDS; id++) {
        snprintf(word, sizeof(word), "{\"id\":\"%d\",\"at\":\"h:", id);
        const char *found = strstr(json, word);
        if (found == NULL)
            continue;
        at += sprintf(at, "%s<%d h:%d>", before, id, atoi(found + strlen(word)));
        before = " ";
    }
}

static void change_app(int app, bool is_bad)
{
    char key[64], value[64];
    const int next = (int)roll(1000);

    snprintf(key, sizeof(key), "apps/app%d", app);
    if (roll(6) == 0) {
        if (object_of(key) != NULL)
            loses(key);
        state_troubles_drop(&step.troubles, (weir_span_t){key, strlen(key)});
        model_apps[app] = -1;
        return;
    }
    snprintf(value, sizeof(value), "{\"v\":\"%d%s\"}", next, is_bad ? " bad" : "");
    puts_key(key, value);
    if (!is_bad)
        model_apps[app] = next;
}

static void change_backend(int app, int id, bool is_bad)
{
    char key[64], value[64];
    const int next = (int)roll(1000);

    snprintf(key, sizeof(key), "backends/app%d/%d", app, id);
    if (roll(3) == 0) {
        if (object_of(key) != NULL)
            loses(key);
        state_troubles_drop(&step.troubles, (weir_span_t){key, strlen(key)});
        model_backends[app][id] = -1;
        return;
    }
    snprintf(value, sizeof(value), is_bad ? "{\"addr\":%d}" : "{\"addr\":\"h:%d\"}", next);
    puts_key(key, value);
    if (!is_bad)
        model_backends[app][id] = next;
}

static void change_domain(int domain, int app)
{
    char key[64], value[64];

    snprintf(key, sizeof(key), "domains/d%d.test", domain);
    if (roll(4) == 0) {
        if (object_of(key) != NULL)
            loses(key);
        model_domains[domain] = -1;
        return;
    }
    snprintf(value, sizeof(value), "{\"app\":\"app%d\"}", app);
    puts_key(key, value);
    model_domains[domain] = app;
}

static void compare(int turn)
{
    char wanted[1024], seen[1024];

    for (int app = 0; app < APPS; app++) {
        write_model(app, wanted);
        write_in_force(app, seen);
        if (strcmp(wanted, seen) != 0)
            fail_msg("turn %d, app%d: %s in place of %s", turn, app, seen, wanted);
    }
}

/* At most one key of an app is bad in a step: of two that are bad together, nobody says which one alone would be. */
static void test_whatever_comes_it_is_as_it_was_said(void **state)
{
    (void)state;
    memset(model_apps, -1, sizeof(model_apps));
    memset(model_backends, -1, sizeof(model_backends));
    memset(model_domains, -1, sizeof(model_domains));
    poison = "bad";
    dice = 4711;
    for (int turn = 0; turn < STEPS; turn++) {
        const int app = (int)roll(APPS);
        const unsigned what = roll(10);
        now_us += STATE_GUARD_WINDOW_US + 1; /* the guard is of no interest here */
        step.logged_from_us = now_us;
        if (what < 2)
            change_app(app, roll(5) == 0);
        else if (what < 6)
            change_backend(app, (int)roll(IDS), roll(5) == 0);
        else
            change_domain((int)roll(DOMAINS), app);
        if (roll(4) != 0 && what >= 2)
            continue;
        commit();
        compare(turn);
    }
    commit();
    compare(STEPS);
    assert_true(weir_list_is_empty(&step.table.dirty));
}

#define WITH_STEP(test) cmocka_unit_test_setup_teardown(test, open_step, close_step)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_STEP(test_an_app_is_put_together),
        WITH_STEP(test_what_says_the_same_is_not_put),
        WITH_STEP(test_redirects_are_apps_of_their_own),
        WITH_STEP(test_defaults_are_of_all_apps),
        WITH_STEP(test_who_gets_a_domain_is_put_first),
        WITH_STEP(test_many_apps_are_put_in_turn),
        WITH_STEP(test_one_bad_key_of_several),
        WITH_STEP(test_a_bad_key_keeps_what_was),
        WITH_STEP(test_other_routers_may_take_it),
        WITH_STEP(test_trying_again_one_settles_another),
        WITH_STEP(test_a_new_app_that_is_refused_is_not_there),
        WITH_STEP(test_very_much_does_not_go_at_once),
        WITH_STEP(test_an_empty_store_empties_nothing),
        WITH_STEP(test_leases_that_end_together),
        WITH_STEP(test_whatever_comes_it_is_as_it_was_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
