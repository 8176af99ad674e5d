/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/forwarded.h"

static weir_arena_t arena;

/* "A: b\nC: d" and back. */
static void fill(weir_headers_t *headers, const char *text)
{
    while (*text != '\0') {
        const char *end = text + strcspn(text, "\n"), *colon = strchr(text, ':');
        weir_span_t value = {colon + 1, (size_t)(end - colon) - 1};

        weir_headers_add(headers, &arena, (weir_span_t){text, (size_t)(colon - text)}, weir_span_trim(value));
        text = end + (*end != '\0');
    }
}

static void assert_fields(const weir_headers_t *headers, const char *expected)
{
    char text[2000];
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];
        assert_int_equal(field->id, weir_header_id(field->name));
        length +=
            (size_t)snprintf(text + length, sizeof(text) - length, "%s%.*s: %.*s", i == 0 ? "" : "\n", (int)field->name.len,
                             field->name.base, (int)field->value.len, field->value.len == 0 ? "" : field->value.base);
    }
    assert_string_equal(text, expected);
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

static void appends(void **state)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {"", "X-Forwarded-For: 10.0.0.1"},
        {"A: 1", "A: 1\nX-Forwarded-For: 10.0.0.1"},
        {"x-forwarded-for: 1.1.1.1\nA: 1", "x-forwarded-for: 1.1.1.1, 10.0.0.1\nA: 1"},
        {"X-Forwarded-For:\nA: 1", "X-Forwarded-For: 10.0.0.1\nA: 1"},
        {"A: 1\nX-Forwarded-For: a, b\nB: 2\nx-forwarded-FOR:\nX-Forwarded-For: c\nC: 3",
         "A: 1\nX-Forwarded-For: a, b, c, 10.0.0.1\nB: 2\nC: 3"},
        {"X-Forwarded-For:\nX-Forwarded-For: b", "X-Forwarded-For: b, 10.0.0.1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_headers_t headers = {0};
        char entry[] = "10.0.0.1";

        fill(&headers, rows[i].before);
        weir_forwarded_append(&headers, &arena, WEIR_HEADER_X_FORWARDED_FOR, WEIR_SPAN("X-Forwarded-For"),
                              (weir_span_t){entry, strlen(entry)});
        memset(entry, 'x', strlen(entry));
        assert_fields(&headers, rows[i].after);
    }
}

static void takes_any_name(void **state)
{
    weir_headers_t headers = {0};

    fill(&headers, "Via: 1.0 a\nX: y\nvia: 1.1 b");
    weir_forwarded_append(&headers, &arena, WEIR_HEADER_VIA, WEIR_SPAN("Via"), WEIR_SPAN("1.1 weir"));
    assert_fields(&headers, "Via: 1.0 a, 1.1 b, 1.1 weir\nX: y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(takes_any_name),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
