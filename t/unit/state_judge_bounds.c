/* SPDX-License-Identifier: MIT */
/* How long, how deep, how big and how far what a key says may be; letters of all kinds; redirects that lead back by detours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/state/judge.h"
#include "unit.h"

enum { DEEP = 3000 };

static state_table_t table;
static state_judged_t judged;

static int open_table(void **state)
{
    state_table_init(&table);
    return 0;
}

static int close_table(void **state)
{
    state_table_dispose(&table);
    return 0;
}

static state_verdict_t judge_span(weir_span_t key, weir_span_t value)
{
    return state_judge(&table, key, value, &judged);
}

static state_verdict_t judge(const char *key, const char *value)
{
    return judge_span((weir_span_t){key, strlen(key)}, (weir_span_t){value, strlen(value)});
}

static void takes(const char *key, const char *value)
{
    if (judge(key, value) != STATE_TAKEN)
        fail_msg("%.60s %.60s: %s", key, value, judged.problem);
}

static void refuses(const char *key, const char *value, state_bad_t bad)
{
    if (judge(key, value) != STATE_REFUSED)
        fail_msg("%.60s %.60s is not refused", key, value);
    if (judged.bad != bad)
        fail_msg("%.60s %.60s: %s, %s", key, value, state_bad_words[judged.bad], judged.problem);
}

static void keeps(const char *key, const char *value, const char *kept)
{
    takes(key, value);
    assert_int_equal(judged.said.value.len, strlen(kept));
    assert_memory_equal(judged.said.value.base, kept, strlen(kept));
}

/* The table has it from now on. */
static void has(const char *key, const char *value)
{
    takes(key, value);
    state_table_settle(&table, state_table_set(&table, &judged.said));
}

/* `before`, `count` times `c`, and `behind`; good for the next four calls. */
static const char *filled(const char *before, char c, size_t count, const char *behind)
{
    static char *texts[4];
    static unsigned next;
    char **text = &texts[next++ % 4];

    free(*text);
    *text = malloc(strlen(before) + count + strlen(behind) + 1);
    assert_non_null(*text);
    strcpy(*text, before);
    memset(*text + strlen(before), c, count);
    strcpy(*text + strlen(before) + count, behind);
    return *text;
}

/* ---- lengths ---- */

static void test_names_of_apps(void **state)
{
    takes("apps/a", "{}");
    takes(filled("apps/", 'a', STATE_NAME_MOST, ""), "{}");
    refuses(filled("apps/", 'a', STATE_NAME_MOST + 1, ""), "{}", STATE_BAD_NAME);
    takes("domains/a.test", filled("{\"app\":\"", 'a', STATE_NAME_MOST, "\"}"));
    refuses("domains/a.test", filled("{\"app\":\"", 'a', STATE_NAME_MOST + 1, "\"}"), STATE_BAD_NAME);
    takes("domains/a.test", filled("{ \"app\":\"", 'A', STATE_NAME_MOST, "\"}"));
    refuses("domains/a.test", filled("{ \"app\":\"", 'A', STATE_NAME_MOST + 1, "\"}"), STATE_BAD_NAME);
    takes(filled("backends/", 'a', STATE_NAME_MOST, "/b"), "{\"at\":\"h:1\"}");
    refuses(filled("backends/", 'a', STATE_NAME_MOST + 1, "/b"), "{\"at\":\"h:1\"}", STATE_BAD_NAME);
    takes(filled("backends/a/", 'b', STATE_NAME_MOST, ""), "{\"at\":\"h:1\"}");
    refuses(filled("backends/a/", 'b', STATE_NAME_MOST + 1, ""), "{\"at\":\"h:1\"}", STATE_BAD_NAME);
}

static void test_keys(void **state)
{
    static const char *const kinds[] = {"config/", "certs/"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const size_t most = STATE_KEY_BYTES - 64 - strlen(kinds[i]);
        takes(filled(kinds[i], 'x', most, ""), "{}");
        refuses(filled(kinds[i], 'x', most + 1, ""), "{}", STATE_BAD_NAME);
        refuses(filled(kinds[i], 'x', 100000, ""), "{}", STATE_BAD_NAME);
    }
    assert_int_equal(judge(filled("others/", 'x', 100000, ""), "{}"), STATE_IGNORED);
}

static void test_targets(void **state)
{
    takes("domains/a.test", filled("{\"redirect\":\"", 'b', 240, "\"}"));
    assert_int_equal(judged.said.slot.len, 240 + strlen("redirect-to:"));
    refuses("domains/a.test", filled("{\"redirect\":\"", 'b', 241, "\"}"), STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"redirect\":\"b.test/x\"}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"redirect\":\"b\xc3\xbc.test\"}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"redirect\":\"b.test\\n\"}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"redirect\":\"b\\\"c\"}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"redirect\":null,\"app\":7}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"redirect\":\"b.test\",\"app\":\"a\"}", STATE_BAD_TYPE);
}

static void test_paths(void **state)
{
    takes("domains/a.test", filled("{\"app\":\"a\",\"path\":\"/", 'p', STATE_KEY_BYTES - 1, "\"}"));
    assert_int_equal(judged.said.value.len, STATE_KEY_BYTES);
    refuses("domains/a.test", filled("{\"app\":\"a\",\"path\":\"/", 'p', STATE_KEY_BYTES, "\"}"), STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"app\":\"a\",\"path\":\"\"}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"app\":\"a\",\"path\":7}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"app\":\"a\",\"path\":null}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"app\":\"a\",\"path\":\"/a b\"}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"app\":\"a\",\"path\":\"/\xc3\xbc\"}", STATE_BAD_TYPE);
    refuses("domains/a.test", "{\"app\":\"a\",\"path\":\"/\\\\\"}", STATE_BAD_TYPE);
    refuses("domains/a.test/", "{\"app\":\"a\",\"path\":\"/b\"}", STATE_BAD_TYPE);
    takes("domains/a.test/", "{\"app\":\"a\"}");
}

static void test_values(void **state)
{
    static const char *const keys[] = {"apps/a", "config/defaults", "certs/x", "meta"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        takes(keys[i], filled("{\"x\":\"", 'y', STATE_VALUE_MOST - 8, "\"}"));
        assert_int_equal(judged.said.value.len, STATE_VALUE_MOST);
        refuses(keys[i], filled("{\"x\":\"", 'y', STATE_VALUE_MOST - 7, "\"}"), STATE_BAD_LENGTH);
        takes(keys[i], filled("{", ' ', STATE_VALUE_MOST - 2, "}"));
        assert_int_equal(judged.said.value.len, 2);
    }
}

/* What is kept may be longer than what was said: 1e9 is 1000000000.0 then. */
static void test_values_that_grow(void **state)
{
    char value[40000];
    size_t used = 0;

    used += (size_t)sprintf(value, "{\"x\":[1e9");
    while (used < sizeof(value) - 10)
        used += (size_t)sprintf(value + used, ",1e9");
    strcpy(value + used, "]}");
    refuses("apps/a", value, STATE_BAD_LENGTH);
    strcpy(value + 9 + 4 * 2000, "]}");
    takes("apps/a", value);
}

static void test_depths(void **state)
{
    static char value[2 * DEEP + 20];

    memset(value, '[', DEEP);
    memcpy(value, "{\"x\":", 5);
    memset(value + DEEP, ']', DEEP - 5);
    strcpy(value + 2 * DEEP - 5, "}");
    refuses("apps/a", value, STATE_BAD_JSON);
    takes("apps/a", "{\"x\":[[[[[[[[[[[[[[[[{\"y\":[]}]]]]]]]]]]]]]]]]}");
}

/* ---- letters and numbers ---- */

static void test_letters(void **state)
{
    static const char *const bad_names[] = {"\xff",         "\xc3", "a\xc3(", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                            "\xe0\x80\xaf", "a\nb", "a\tb",   "a\x7f",    "\x01"};
    static const char *const good_names[] = {"\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\xa2", "a b", "\"", "\\", "*", "..", "%"};
    char key[64];

    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        snprintf(key, sizeof(key), "apps/%s", bad_names[i]);
        refuses(key, "{}", STATE_BAD_NAME);
        snprintf(key, sizeof(key), "backends/%s/a", bad_names[i]);
        refuses(key, "{\"at\":\"h:1\"}", STATE_BAD_NAME);
        snprintf(key, sizeof(key), "backends/a/%s", bad_names[i]);
        refuses(key, "{\"at\":\"h:1\"}", STATE_BAD_NAME);
        snprintf(key, sizeof(key), "domains/%s", bad_names[i]);
        refuses(key, "{\"app\":\"a\"}", STATE_BAD_NAME);
    }
    for (size_t i = 0; i < sizeof(good_names) / sizeof(good_names[0]); i++) {
        snprintf(key, sizeof(key), "apps/%s", good_names[i]);
        takes(key, "{}");
        snprintf(key, sizeof(key), "backends/a/%s", good_names[i]);
        takes(key, "{\"at\":\"h:1\"}");
    }
}

static void test_letters_of_values(void **state)
{
    static const char *const bad[] = {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\n",   "\\x",  "\\ud800",  "\\u0000"};
    char value[64];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(value, sizeof(value), "{\"x\":\"%s\"}", bad[i]);
        refuses("apps/a", value, STATE_BAD_JSON);
        snprintf(value, sizeof(value), "{\"app\":\"%s\"}", bad[i]);
        refuses("domains/a.test", value, STATE_BAD_JSON);
    }
    keeps("apps/a", "{\"x\":\"\\u00fc\"}", "{\"x\":\"\xc3\xbc\"}");
    refuses("domains/a.test", "{\"app\":\"a\\u000a\"}", STATE_BAD_NAME);
}

static void test_bytes_that_are_nothing(void **state)
{
    assert_int_equal(judge_span(WEIR_SPAN("apps/a\0b"), WEIR_SPAN("{}")), STATE_REFUSED);
    assert_int_equal(judged.bad, STATE_BAD_NAME);
    assert_int_equal(judge_span(WEIR_SPAN("domains/a\0b"), WEIR_SPAN("{\"app\":\"a\"}")), STATE_REFUSED);
    assert_int_equal(judged.bad, STATE_BAD_NAME);
    assert_int_equal(judge_span(WEIR_SPAN("backends/a/b\0"), WEIR_SPAN("{\"at\":\"h:1\"}")), STATE_REFUSED);
    assert_int_equal(judged.bad, STATE_BAD_NAME);
    assert_int_equal(judge_span(WEIR_SPAN("apps/a"), WEIR_SPAN("{}\0")), STATE_REFUSED);
    assert_int_equal(judged.bad, STATE_BAD_JSON);
    assert_int_equal(judge_span(WEIR_SPAN("domains/a.test"), WEIR_SPAN("{\"app\":\"a\0\"}")), STATE_REFUSED);
    assert_int_equal(judged.bad, STATE_BAD_JSON);
    assert_int_equal(judge_span(WEIR_SPAN("apps/a"), (weir_span_t){NULL, 0}), STATE_REFUSED);
    assert_int_equal(judged.bad, STATE_BAD_JSON);
    assert_int_equal(judge_span((weir_span_t){NULL, 0}, WEIR_SPAN("{}")), STATE_IGNORED);
}

static void test_numbers(void **state)
{
    keeps("apps/a", "{\"x\":9223372036854775807}", "{\"x\":9223372036854775807}");
    keeps("apps/a", "{\"x\":-9223372036854775808}", "{\"x\":-9223372036854775808}");
    refuses("apps/a", "{\"x\":9223372036854775808}", STATE_BAD_JSON);
    refuses("apps/a", "{\"x\":1e999}", STATE_BAD_JSON);
    refuses("apps/a", "{\"x\":01}", STATE_BAD_JSON);
    refuses("apps/a", "{\"x\":NaN}", STATE_BAD_JSON);
    keeps("apps/a", "{\"x\":0.5}", "{\"x\":0.5}");
}

static void test_least_readers(void **state)
{
    assert_int_equal(state_judge_least_reader(WEIR_SPAN("{\"schema\":1,\"min_reader\":1}")), 1);
    assert_int_equal(state_judge_least_reader(WEIR_SPAN("{\"min_reader\":2147483647}")), 2147483647);
    assert_int_equal(state_judge_least_reader(WEIR_SPAN("{\"min_reader\":2.0}")), 0);
    assert_int_equal(state_judge_least_reader((weir_span_t){NULL, 0}), 0);
    assert_true(state_judge_least_reader(WEIR_SPAN("{\"min_reader\":4294967296}")) > STATE_READER);
    assert_true(state_judge_least_reader(WEIR_SPAN("{\"min_reader\":4294967297}")) > STATE_READER);
}

/* ---- members ---- */

static void test_what_is_kept_of_a_backend(void **state)
{
    keeps("backends/a/b",
          "{\"tier\":1,\"zone\":\"z\",\"labels\":{\"l\":\"m\"},\"state\":\"drain\",\"at\":\"h:1\",\"newer\":{\"than\":\"we\"}}",
          "{\"id\":\"b\",\"at\":\"h:1\",\"tier\":1,\"zone\":\"z\",\"labels\":{\"l\":\"m\"},\"state\":\"drain\"}");
    keeps("backends/a/b", "{\"addr\":\"h:1\",\"at\":\"h:2\"}", "{\"id\":\"b\",\"at\":\"h:1\"}");
    keeps("backends/a/b", "{\"at\":\"h:1\",\"max-requests\":1,\"max_inflight\":2}",
          "{\"id\":\"b\",\"at\":\"h:1\",\"max-requests\":2}");
    keeps("backends/a/b", "{\"at\":\"h:1\",\"id\":\"c\"}", "{\"id\":\"b\",\"at\":\"h:1\"}");
    refuses("backends/a/b", "{\"addr\":null,\"at\":\"h:1\"}", STATE_BAD_TYPE);
}

static void test_what_is_reserved(void **state)
{
    refuses("config/defaults", "{\"domains\":[]}", STATE_BAD_RESERVED);
    refuses("config/defaults", "{\"backends\":null}", STATE_BAD_RESERVED);
    refuses("apps/redirect-to:", "{}", STATE_BAD_RESERVED);
    refuses("domains/a.test", "{\"app\":\"redirect-to:\"}", STATE_BAD_RESERVED);
    takes("apps/redirect-to", "{}");
    takes("apps/a", "{\"x\":{\"domains\":[]}}");
}

/* ---- redirects ---- */

/* d0 is to lead to d1, and so on, to the last one. */
static void put_chain(int count)
{
    char key[64], value[64];

    for (int i = count - 1; i >= 0; i--) {
        snprintf(key, sizeof(key), "domains/d%d.test", i);
        snprintf(value, sizeof(value), "{\"redirect\":\"d%d.test\"}", i + 1);
        has(key, value);
    }
}

static void test_chains(void **state)
{
    put_chain(7);
    takes("domains/x.test", "{\"redirect\":\"d0.test\"}");
    refuses("domains/d7.test", "{\"redirect\":\"d0.test\"}", STATE_BAD_LOOP);
    refuses("domains/d7.test", "{\"redirect\":\"D0.Test:81\"}", STATE_BAD_LOOP);
    takes("domains/d7.test", "{\"redirect\":\"e.test\"}");
    has("domains/d7.test", "{\"redirect\":\"e.test\"}");
    refuses("domains/x.test", "{\"redirect\":\"d0.test\"}", STATE_BAD_LOOP); /* so far it is as good as one */
    takes("domains/x.test", "{\"redirect\":\"d1.test\"}");
    assert_int_equal(state_judge(NULL, WEIR_SPAN("domains/d7.test"), WEIR_SPAN("{\"redirect\":\"d0.test\"}"), &judged),
                     STATE_TAKEN);
}

static void test_apps_that_redirect(void **state)
{
    has("domains/a.test", "{\"app\":\"old\"}");
    refuses("apps/old", "{\"redirect-to\":\"a.test\"}", STATE_BAD_LOOP);
    refuses("apps/old", "{\"redirect\\u002dto\":\"a.test\"}", STATE_BAD_LOOP);
    has("apps/old", "{\"redirect-to\":\"b.test\"}");
    refuses("domains/b.test", "{\"redirect\":\"a.test\"}", STATE_BAD_LOOP);
    takes("domains/b.test", "{\"redirect\":\"c.test\"}");
    takes("domains/b.test", "{\"app\":\"other\"}");
}

/* The other way round: the app is there first, as in each snapshot. */
static void test_apps_that_redirect_before_they_have_the_domain(void **state)
{
    has("apps/old", "{\"redirect-to\":\"a.test\"}");
    takes("domains/b.test", "{\"app\":\"old\"}");
    refuses("domains/a.test", "{\"app\":\"old\"}", STATE_BAD_LOOP);
    refuses("domains/a.test", "{ \"app\": \"old\" }", STATE_BAD_LOOP);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, open_table, close_table)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_TABLE(test_names_of_apps),
        WITH_TABLE(test_keys),
        WITH_TABLE(test_targets),
        WITH_TABLE(test_paths),
        WITH_TABLE(test_values),
        WITH_TABLE(test_values_that_grow),
        WITH_TABLE(test_depths),
        WITH_TABLE(test_letters),
        WITH_TABLE(test_letters_of_values),
        WITH_TABLE(test_bytes_that_are_nothing),
        WITH_TABLE(test_numbers),
        WITH_TABLE(test_least_readers),
        WITH_TABLE(test_what_is_kept_of_a_backend),
        WITH_TABLE(test_what_is_reserved),
        WITH_TABLE(test_chains),
        WITH_TABLE(test_apps_that_redirect),
        WITH_TABLE(test_apps_that_redirect_before_they_have_the_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
