/* SPDX-License-Identifier: MIT */
/* What a key and its value say, or what is wrong with them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/state/judge.h"
#include "unit.h"

static state_table_t table;
static state_judged_t judged;

static int open_table(void **state)
{
    (void)state;
    state_table_init(&table);
    return 0;
}

static int close_table(void **state)
{
    (void)state;
    state_table_dispose(&table);
    return 0;
}

static state_verdict_t judge(const char *key, const char *value)
{
    return state_judge(&table, (weir_span_t){key, strlen(key)}, (weir_span_t){value, strlen(value)}, &judged);
}

static void assert_span(weir_span_t span, const char *text)
{
    char seen[STATE_VALUE_MOST];

    snprintf(seen, sizeof(seen), "%.*s", (int)span.len, span.base);
    assert_string_equal(seen, text);
}

/* It is taken, as that app's, and that is kept of its value. */
static void takes(const char *key, const char *value, const char *slot, const char *kept)
{
    if (judge(key, value) != STATE_TAKEN)
        fail_msg("%s %s: %s", key, value, judged.problem);
    assert_span(judged.said.key, key);
    assert_span(judged.said.slot, slot);
    assert_span(judged.said.value, kept);
}

static void refuses(const char *key, const char *value, state_bad_t bad)
{
    if (judge(key, value) != STATE_REFUSED)
        fail_msg("%s %s is taken", key, value);
    if (judged.bad != bad)
        fail_msg("%s %s: %s, %s", key, value, state_bad_words[judged.bad], judged.problem);
    assert_true(judged.problem[0] != '\0');
}

/* The table has it from now on. */
static void has(const char *key, const char *value)
{
    assert_int_equal(judge(key, value), STATE_TAKEN);
    state_table_settle(&table, state_table_set(&table, &judged.said));
}

static void test_apps(void **state)
{
    char name[300] = "apps/";

    (void)state;
    takes("apps/shop", "{}", "shop", "{}");
    takes("apps/shop", " { \"hold\" : \"5s\" } ", "shop", "{\"hold\":\"5s\"}");
    takes("apps/\xc3\xbc", "{}", "\xc3\xbc", "{}");
    memset(name + 5, 'a', 255);
    takes(name, "{}", name + 5, "{}");
    memset(name + 5, 'a', 256);
    refuses(name, "{}", STATE_BAD_NAME);
    refuses("apps/", "{}", STATE_BAD_NAME);
    refuses("apps/a/b", "{}", STATE_BAD_NAME);
    refuses("apps/redirect-to:x", "{}", STATE_BAD_RESERVED);
    refuses("apps/a", "{\"domains\":[]}", STATE_BAD_RESERVED);
    refuses("apps/a", "{\"backends\":{}}", STATE_BAD_RESERVED);
    for (const char *const *text = (const char *const[]){"", "x", "{", "{}}", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", NULL};
         *text != NULL; text++)
        refuses("apps/a", *text, STATE_BAD_JSON);
    for (const char *const *text = (const char *const[]){"[]", "7", "\"x\"", "null", "true", NULL}; *text != NULL; text++)
        refuses("apps/a", *text, STATE_BAD_TYPE);
}

static void test_backends(void **state)
{
    (void)state;
    takes("backends/shop/web-1", "{\"addr\":\"10.0.0.7:80\"}", "shop", "{\"id\":\"web-1\",\"at\":\"10.0.0.7:80\"}");
    takes("backends/shop/a", "{\"at\":\"h:1\",\"weight\":7,\"max_inflight\":3,\"proto\":\"h1\"}", "shop",
          "{\"id\":\"a\",\"at\":\"h:1\",\"weight\":7,\"max-requests\":3}");
    refuses("backends/shop", "{\"addr\":\"h:1\"}", STATE_BAD_NAME);
    refuses("backends/shop/", "{\"addr\":\"h:1\"}", STATE_BAD_NAME);
    refuses("backends//a", "{\"addr\":\"h:1\"}", STATE_BAD_NAME);
    refuses("backends/a/b/c", "{\"addr\":\"h:1\"}", STATE_BAD_NAME);
    refuses("backends/redirect-to:x/a", "{\"addr\":\"h:1\"}", STATE_BAD_RESERVED);
    refuses("backends/shop/a", "{}", STATE_BAD_TYPE);
    refuses("backends/shop/a", "{\"addr\":8080}", STATE_BAD_TYPE);
}

static void test_domains(void **state)
{
    (void)state;
    takes("domains/www.shop.test", "{\"app\":\"shop\"}", "shop", "");
    takes("domains/*.shop.test", "{\"app\":\"shop\"}", "shop", "");
    takes("domains/*", "{\"app\":\"shop\"}", "shop", "");
    takes("domains/shop.test/a/b", "{ \"app\": \"shop\", \"cert\": \"x\" }", "shop", "");
    takes("domains/shop.test", "{\"app\":\"shop\",\"path\":\"/a\"}", "shop", "/a");
    takes("domains/old.test", "{\"redirect\":\"new.test:8443\"}", "redirect-to:new.test:8443", "");
    assert_true(judged.said.is_redirect);
    takes("domains/old.test", "{\"redirect-to\":\"new.test\"}", "redirect-to:new.test", "");
    refuses("domains/", "{\"app\":\"a\"}", STATE_BAD_NAME);
    refuses("domains/Shop.test", "{\"app\":\"a\"}", STATE_BAD_NAME);
    refuses("domains/shop.test.", "{\"app\":\"a\"}", STATE_BAD_NAME);
    refuses("domains/a b", "{\"app\":\"a\"}", STATE_BAD_NAME);
    refuses("domains/a\"b", "{\"app\":\"a\"}", STATE_BAD_NAME);
    refuses("domains/x.test/a\\b", "{\"app\":\"a\"}", STATE_BAD_NAME);
    refuses("domains/x.test", "{\"app\":\"a/b\"}", STATE_BAD_NAME);
    refuses("domains/x.test", "{\"app\":\"\"}", STATE_BAD_NAME);
    refuses("domains/x.test", "{\"app\":\"redirect-to:x\"}", STATE_BAD_RESERVED);
    refuses("domains/x.test", "{}", STATE_BAD_TYPE);
    refuses("domains/x.test", "{\"app\":7}", STATE_BAD_TYPE);
    refuses("domains/x.test", "{\"redirect\":7}", STATE_BAD_TYPE);
    refuses("domains/x.test", "{\"redirect\":\"a b\"}", STATE_BAD_TYPE);
    refuses("domains/x.test", "{\"redirect\":\"\"}", STATE_BAD_TYPE);
    refuses("domains/x.test", "{\"app\":\"a\",\"path\":\"a\"}", STATE_BAD_TYPE);
    refuses("domains/x.test/a", "{\"app\":\"a\",\"path\":\"/b\"}", STATE_BAD_TYPE);
}

static void test_redirects_that_lead_back(void **state)
{
    (void)state;
    refuses("domains/a.test", "{\"redirect\":\"a.test\"}", STATE_BAD_LOOP);
    refuses("domains/a.test", "{\"redirect\":\"a.test:8080\"}", STATE_BAD_LOOP);
    has("domains/a.test", "{\"redirect\":\"b.test\"}");
    has("domains/b.test", "{\"redirect\":\"c.test\"}");
    takes("domains/c.test", "{\"redirect\":\"d.test\"}", "redirect-to:d.test", "");
    refuses("domains/c.test", "{\"redirect\":\"a.test\"}", STATE_BAD_LOOP);
    refuses("domains/b.test", "{\"redirect\":\"a.test\"}", STATE_BAD_LOOP);
    has("domains/b.test", "{\"app\":\"shop\"}");
    takes("domains/c.test", "{\"redirect\":\"a.test\"}", "redirect-to:a.test", "");
}

static void test_the_rest(void **state)
{
    (void)state;
    takes("config/defaults", "{\"hold\":\"1s\"}", "", "{\"hold\":\"1s\"}");
    takes("certs/shop", "{\"chain\":\"x\"}", "", "{\"chain\":\"x\"}");
    takes("meta", "{\"min_reader\":1}", "", "{\"min_reader\":1}");
    for (const char *const *key = (const char *const[]){"nonsense/x", "app/x", "", "apps", "metadata", NULL}; *key != NULL;
         key++)
        if (judge(*key, "not even JSON") != STATE_IGNORED)
            fail_msg("%s is not passed over: %s", *key, judged.problem);
    assert_int_equal(state_judge_least_reader(WEIR_SPAN("{\"min_reader\":3}")), 3);
    for (const char *const *text = (const char *const[]){"", "x", "[]", "{}", "{\"min_reader\":\"3\"}", NULL}; *text != NULL;
         text++)
        assert_int_equal(state_judge_least_reader((weir_span_t){*text, strlen(*text)}), 0);
}

static void test_lengths(void **state)
{
    static char value[STATE_VALUE_MOST + 2], key[STATE_KEY_BYTES + 2];

    (void)state;
    strcpy(value, "{\"x\":\"");
    memset(value + 6, 'y', STATE_VALUE_MOST - 8);
    strcpy(value + STATE_VALUE_MOST - 2, "\"}");
    assert_int_equal(judge("apps/a", value), STATE_TAKEN);
    strcpy(value + STATE_VALUE_MOST - 2, "y\"}");
    refuses("apps/a", value, STATE_BAD_LENGTH);
    strcpy(key, "domains/a.test/");
    memset(key + 15, 'p', STATE_KEY_BYTES - 64 - 15);
    assert_int_equal(judge(key, "{\"app\":\"a\"}"), STATE_TAKEN);
    key[STATE_KEY_BYTES - 64] = 'p';
    refuses(key, "{\"app\":\"a\"}", STATE_BAD_NAME);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, open_table, close_table)

int main(void)
{
    static const struct CMUnitTest tests[] = {WITH_TABLE(test_apps),     WITH_TABLE(test_backends),
                                              WITH_TABLE(test_domains),  WITH_TABLE(test_redirects_that_lead_back),
                                              WITH_TABLE(test_the_rest), WITH_TABLE(test_lengths)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
