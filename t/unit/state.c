/* SPDX-License-Identifier: MIT */
/* What sources say of apps: kept, offered to routers that come and go, and what becomes of what they refuse. */
#include "router/state.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { TOLD_BYTES = 4096 };

/* A router that writes down what it is told, and refuses what has a "no", or complains of a "but". */
typedef struct fake {
    weir_state_host_t host;
    char told[TOLD_BYTES];
    bool refuses_all;
} fake_t;

static bool on_state(weir_shared_t *shared, const weir_state_app_t *app, char *why, size_t why_bytes)
{
    fake_t *fake = (fake_t *)(void *)shared;
    const char *word = app->said == NULL ? "gone" : weir_config_text(weir_config_get(app->said, "word"));
    const size_t length = strlen(fake->told);

    snprintf(fake->told + length, sizeof(fake->told) - length, "%.*s=%s%s ", (int)app->name.len, app->name.base, word,
             app->has_more ? "+" : "");
    why[0] = '\0';
    if (strcmp(word, "no") == 0 || fake->refuses_all)
        snprintf(why, why_bytes, "refused");
    if (strcmp(word, "but") == 0)
        snprintf(why, why_bytes, "a domain is another's");
    return strcmp(word, "no") != 0 && !fake->refuses_all;
}

static void enter(fake_t *fake, const char *name)
{
    weir_state_host_enter(
        &fake->host,
        &(weir_state_host_t){.name = name, .router = "fake", .state = on_state, .shared = (weir_shared_t *)(void *)fake});
}

static bool put(const char *app, const char *json)
{
    char why[WEIR_STATE_WHY_BYTES];

    return weir_state_put(&(weir_state_said_t){.app = app, .origin = "here", .json = json}, why);
}

static bool put_problem(const char *app)
{
    char why[WEIR_STATE_WHY_BYTES];

    return weir_state_put(&(weir_state_said_t){.app = app, .origin = "here", .problem = "cannot be read"}, why);
}

static void assert_told(fake_t *fake, const char *wanted)
{
    assert_string_equal(fake->told, wanted);
    fake->told[0] = '\0';
}

typedef struct seen {
    const char *app;
    char problem[WEIR_STATE_WHY_BYTES];
    bool is_refused, holds;
} seen_t;

static void look(const weir_state_facts_t *facts, void *context)
{
    seen_t *seen = context;

    if (strcmp(facts->app, seen->app) != 0)
        return;
    snprintf(seen->problem, sizeof(seen->problem), "%s", facts->problem == NULL ? "" : facts->problem);
    seen->is_refused = facts->is_refused;
    seen->holds = facts->holds;
}

static void assert_seen(const char *app, const char *problem, bool is_refused, bool holds)
{
    seen_t seen = {.app = app, .problem = "nobody has seen it"};

    weir_state_each(look, &seen);
    assert_string_equal(seen.problem, problem);
    assert_int_equal(seen.is_refused, is_refused);
    assert_int_equal(seen.holds, holds);
}

static int tear_down(void **state)
{
    weir_state_forget();
    return 0;
}

/* ---- what is said while a router is there ---- */

static void what_is_fine_holds(void **state)
{
    fake_t fake = {.told = ""};

    enter(&fake, "one");
    assert_told(&fake, "");
    assert_true(put("shop", "{\"word\":\"a\"}"));
    assert_true(put("shop", "{\"word\":\"b\"}"));
    assert_true(put("shop", NULL));
    assert_told(&fake, "shop=a shop=b shop=gone ");
    assert_int_equal(weir_state_counts().apps, 0);
    assert_true(put("never", NULL));
    assert_told(&fake, "");
    weir_state_host_leave(&fake.host);
}

static void what_is_refused_is_as_it_was(void **state)
{
    fake_t fake = {.told = ""}, next = {.told = ""};

    enter(&fake, "one");
    assert_true(put("shop", "{\"word\":\"a\"}"));
    assert_false(put("shop", "{\"word\":\"no\"}"));
    assert_seen("shop", "refused", true, true);
    assert_false(put("new", "{\"word\":\"no\"}"));
    assert_seen("new", "refused", true, false);
    assert_int_equal(weir_state_counts().refused, 2);
    weir_state_host_leave(&fake.host);
    assert_true(put("blog", "{\"word\":\"c\"}"));
    enter(&next, "one");
    assert_non_null(strstr(next.told, "shop=no"));
    assert_non_null(strstr(next.told, "shop=a"));
    assert_true(strstr(next.told, "shop=no") < strstr(next.told, "shop=a"));
    assert_null(strstr(next.told, "new=a"));
    weir_state_host_leave(&next.host);
}

static void what_cannot_be_read_is_nobodys_to_judge(void **state)
{
    fake_t fake = {.told = ""}, next = {.told = ""};

    enter(&fake, "one");
    assert_true(put("shop", "{\"word\":\"a\"}"));
    assert_told(&fake, "shop=a ");
    assert_false(put_problem("shop"));
    assert_told(&fake, "");
    assert_seen("shop", "cannot be read", true, true);
    enter(&next, "one");
    assert_told(&next, "shop=a ");
    assert_seen("shop", "cannot be read", true, true);
    assert_true(put("shop", "{\"word\":\"b\"}"));
    assert_told(&fake, ""); /* a newer one has its name */
    assert_told(&next, "shop=b ");
    assert_seen("shop", "", false, true);
    assert_false(put_problem("never"));
    assert_seen("never", "cannot be read", true, false);
    assert_true(put("never", NULL));
    weir_state_host_leave(&next.host);
    weir_state_host_leave(&fake.host);
}

static void trouble_is_offered_again(void **state)
{
    fake_t fake = {.told = ""};

    enter(&fake, "one");
    assert_true(put("shop", "{\"word\":\"but\"}"));
    assert_seen("shop", "a domain is another's", false, true);
    assert_int_equal(weir_state_counts().conflicts, 1);
    fake.told[0] = '\0';
    assert_true(put("blog", "{\"word\":\"a\"}"));
    assert_told(&fake, "blog=a shop=but ");
    assert_false(put("blog", "{\"word\":\"no\"}"));
    assert_told(&fake, "blog=no ");
    weir_state_host_leave(&fake.host);
}

/* ---- routers that come ---- */

static void a_router_is_told_of_all(void **state)
{
    fake_t fake = {.told = ""};
    size_t count = 0;

    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof(name), "app%d", i);
        assert_true(put(name, "{\"word\":\"a\"}"));
    }
    enter(&fake, "one");
    for (const char *at = fake.told; (at = strstr(at, "=a")) != NULL; at++)
        count++;
    assert_int_equal(count, 200);
    assert_int_equal(fake.told[strlen(fake.told) - 2], 'a'); /* the last has no more behind it */
    assert_non_null(strstr(fake.told, "=a+"));
    assert_int_equal(weir_state_counts().apps, 200);
    weir_state_host_leave(&fake.host);
}

static void what_no_router_takes_does_not_hold(void **state)
{
    fake_t fake = {.told = "", .refuses_all = true};

    assert_true(put("shop", "{\"word\":\"a\"}"));
    assert_seen("shop", "", false, true);
    enter(&fake, "one");
    assert_told(&fake, "shop=a ");
    assert_seen("shop", "refused", true, false);
    fake.refuses_all = false;
    assert_true(put("blog", "{\"word\":\"b\"}"));
    assert_told(&fake, "blog=b shop=a ");
    assert_seen("shop", "", false, true);
    weir_state_host_leave(&fake.host);
    weir_state_host_leave(&fake.host);
}

static void one_without_the_callback_is_not_told(void **state)
{
    weir_state_host_t none = {.name = NULL};

    weir_state_host_enter(&none, &(weir_state_host_t){.name = "one"});
    assert_true(put("shop", "{\"word\":\"no\"}"));
    weir_state_host_leave(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_fine_holds, tear_down),
        cmocka_unit_test_teardown(what_is_refused_is_as_it_was, tear_down),
        cmocka_unit_test_teardown(what_cannot_be_read_is_nobodys_to_judge, tear_down),
        cmocka_unit_test_teardown(trouble_is_offered_again, tear_down),
        cmocka_unit_test_teardown(a_router_is_told_of_all, tear_down),
        cmocka_unit_test_teardown(what_no_router_takes_does_not_hold, tear_down),
        cmocka_unit_test_teardown(one_without_the_callback_is_not_told, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
