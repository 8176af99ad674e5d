/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/expect.h"

static weir_arena_t arena;

/* "A: b\nC: d". */
static void fill(weir_headers_t *headers, const char *text)
{
    while (*text != '\0') {
        const char *end = text + strcspn(text, "\n"), *colon = strchr(text, ':');
        weir_span_t value = {colon + 1, (size_t)(end - colon) - 1};

        weir_headers_add(headers, &arena, (weir_span_t){text, (size_t)(colon - text)}, weir_span_trim(value));
        text = end + (*end != '\0');
    }
}

static int set_up(void **state)
{
    weir_arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    weir_arena_finish(&arena);
    weir_arena_forget_blocks();
    return 0;
}

static void reads_expect(void **state)
{
    const struct {
        const char *fields;
        const weir_fault_t *fault;
        bool wants_continue;
    } rows[] = {
        {"", NULL, false},
        {"Expect:", NULL, false},
        {"Expect: ,", NULL, false},
        {"Expect: , ,\t,", NULL, false},
        {"Expect: 100-continue", NULL, true},
        {"expect: 100-Continue", NULL, true},
        {"Expect: ,100-continue ,", NULL, true},
        {"Expect: 100-continue\nExpect: foo", NULL, true},
        {"Expect: foo\nExpect: 100-continue", &weir_fault_expectation_failed, false},
        {"Expect:\nExpect: foo", NULL, false},
        {"Expect: foo", &weir_fault_expectation_failed, false},
        {"Expect: foo=bar", &weir_fault_expectation_failed, false},
        {"Expect: foo=\"b, \\\" r\"", &weir_fault_expectation_failed, false},
        {"Expect: foo=\"\", 100-continue", &weir_fault_expectation_failed, false},
        {"Expect: 100-continue=yes", &weir_fault_expectation_failed, false},
        {"Expect: 100-continue, 100-continue", &weir_fault_expectation_failed, false},
        {"Expect: 100-continue, foo", &weir_fault_expectation_failed, false},
        {"Expect: 100-continued", &weir_fault_expectation_failed, false},
        {"Expect: 100 continue", &weir_fault_bad_request_header, false},
        {"Expect: 100-continue; q=1", &weir_fault_bad_request_header, false},
        {"Expect: foo, 100 continue", &weir_fault_bad_request_header, false},
        {"Expect: foo=", &weir_fault_bad_request_header, false},
        {"Expect: =foo", &weir_fault_bad_request_header, false},
        {"Expect: foo = bar", &weir_fault_bad_request_header, false},
        {"Expect: foo=\"bar", &weir_fault_bad_request_header, false},
        {"Expect: foo=\"", &weir_fault_bad_request_header, false},
        {"Expect: foo=\"\\", &weir_fault_bad_request_header, false},
        {"Expect: foo=\"\\\"", &weir_fault_bad_request_header, false},
        {"Expect: foo=\"bar\"baz", &weir_fault_bad_request_header, false},
        {"Expect: \"100-continue\"", &weir_fault_bad_request_header, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_headers_t headers = {0};
        bool wants_continue = true;
        const weir_fault_t *fault;

        fill(&headers, rows[i].fields);
        fault = weir_expect_read(&headers, &wants_continue);
        if (fault != rows[i].fault || wants_continue != rows[i].wants_continue)
            fail_msg("%s: %s, %d", rows[i].fields, fault == NULL ? "accepted" : fault->name, wants_continue);
    }
}

static void survives_many_commas(void **state)
{
    char *commas = malloc(1000000);
    weir_header_t field = {WEIR_SPAN("Expect"), {commas, 1000000}, WEIR_HEADER_EXPECT};
    weir_headers_t headers = {&field, 1, 1};
    bool wants_continue;

    memset(commas, ',', 1000000);
    assert_null(weir_expect_read(&headers, &wants_continue));
    assert_false(wants_continue);
    free(commas);
}

static void reads_upgrade(void **state)
{
    const struct {
        const char *fields;
        const weir_fault_t *fault;
        bool is_wanted;
    } rows[] = {
        {"", NULL, false},
        {"Upgrade: websocket", NULL, false},
        {"Upgrade: a b\nConnection: close", NULL, false},
        {"Connection: upgrade\nUpgrade: websocket", NULL, true},
        {"Connection: Upgrade Keep-Alive\nUpgrade: websocket", NULL, true},
        {"Connection: keep-alive,\t UPGRADE\nUpgrade: websocket", NULL, true},
        {"Connection: close\nConnection: upgrade\nUpgrade: x", NULL, true},
        {"Connection:\nConnection: upgrade\nUpgrade: foo/1, , bar", NULL, true},
        {"Connection: upgrade\nUpgrade:\nUpgrade: h2c", NULL, true},
        {"Connection: upgraded\nUpgrade: x", NULL, false},
        {"Connection: x-upgrade", NULL, false},
        {"Connection: upgrade", &weir_fault_bad_request_header, true},
        {"Connection: upgrade\nUpgrade:", &weir_fault_bad_request_header, true},
        {"Connection: upgrade\nUpgrade: ,", &weir_fault_bad_request_header, true},
        {"Connection: upgrade\nUpgrade: a b", &weir_fault_bad_request_header, true},
        {"Connection: upgrade\nUpgrade: a/", &weir_fault_bad_request_header, true},
        {"Connection: upgrade\nUpgrade: /a", &weir_fault_bad_request_header, true},
        {"Connection: upgrade\nUpgrade: a/b/c", &weir_fault_bad_request_header, true},
        {"Connection: upgrade\nUpgrade: a\nUpgrade: \"b\"", &weir_fault_bad_request_header, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_headers_t headers = {0};
        bool is_wanted = true;
        const weir_fault_t *fault;

        fill(&headers, rows[i].fields);
        fault = weir_upgrade_read(&headers, &is_wanted);
        if (fault != rows[i].fault || is_wanted != rows[i].is_wanted)
            fail_msg("%s: %s, %d", rows[i].fields, fault == NULL ? "accepted" : fault->name, is_wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_expect),
        cmocka_unit_test(survives_many_commas),
        cmocka_unit_test(reads_upgrade),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
