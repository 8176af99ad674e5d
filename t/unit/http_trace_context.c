/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/trace_context.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

static void reads_what_is_valid(void **state)
{
    static const struct {
        const char *value, *flags;
    } rows[] = {
        {"00-" TRACE "-" PARENT "-00", "00"},
        {"00-" TRACE "-" PARENT "-01", "01"},
        {"00-" TRACE "-" PARENT "-03", "03"}, /* level 2 has a second bit */
        {"00-" TRACE "-" PARENT "-ff", "ff"},
        {"01-" TRACE "-" PARENT "-01", "01"},
        {"cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like", "01"},
        {"cc-" TRACE "-" PARENT "-01-", "01"},
        {"cc-" TRACE "-" PARENT "-ff", "01"}, /* of later versions only one bit is known */
        {"fe-" TRACE "-" PARENT "-fe", "00"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_trace_context_t context;
        if (!weir_traceparent_read(span(rows[i].value), &context))
            fail_msg("%s is valid", rows[i].value);
        assert_memory_equal(context.trace_id, TRACE, WEIR_TRACE_ID_BYTES);
        assert_memory_equal(context.flags, rows[i].flags, 2);
        assert_memory_equal(context.parent_id, PARENT, WEIR_SPAN_ID_BYTES);
        assert_int_equal(weir_trace_context_is_sampled(&context), weir_hex_value(rows[i].flags[1]) & 1);
    }
}

static void refuses_what_is_not(void **state)
{
    static const char *const values[] = {
        "",
        "00",
        "00-",
        "00-" TRACE,
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-",
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-001",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-01 ",
        "cc-" TRACE "-" PARENT "-01.more",
        "cc-" TRACE "-" PARENT "-011",
        "cc-" TRACE "-" PARENT "-0",
        "ff-" TRACE "-" PARENT "-01",
        "ff-" TRACE "-" PARENT "-01-more",
        "FF-" TRACE "-" PARENT "-01",
        "0F-" TRACE "-" PARENT "-01",
        "0-" TRACE "-" PARENT "-01-",
        "000-" TRACE "-" PARENT "-1",
        ".0-" TRACE "-" PARENT "-01",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-0af7651916cd43dd8448eb211c80319C-" PARENT "-01",
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-" TRACE "-" PARENT "-0A",
        "00-" TRACE "-" PARENT "-0g",
        "00-" TRACE "-" PARENT "-.0",
        "00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01",
        "00-" TRACE "-b7ad6b716920333x-01",
        "00-0af7651916cd43dd8448eb211c80319-" PARENT "0-01",
        "00-" TRACE "0-b7ad6b716920333-01",
        "00-" TRACE "-" PARENT "-01,00-" TRACE "-" PARENT "-01",
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        weir_trace_context_t context = {.flags = "x"};
        if (weir_traceparent_read(span(values[i]), &context))
            fail_msg("'%s' is invalid", values[i]);
        assert_int_equal(context.flags[0], 'x');
        assert_int_equal(context.trace_id[0], 0);
    }
}

/* Each byte that is a digit may be one of sixteen characters, each dash only that. */
static void each_byte_counts(void **state)
{
    static const char valid[] = "00-" TRACE "-" PARENT "-01";

    for (size_t at = 2; at < WEIR_TRACEPARENT_BYTES; at++) { /* another version may be anything */
        for (int c = 0; c < 256; c++) {
            char value[sizeof(valid)];
            weir_trace_context_t context;
            const bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            memcpy(value, valid, sizeof(valid));
            value[at] = (char)c;
            if (weir_traceparent_read((weir_span_t){value, WEIR_TRACEPARENT_BYTES}, &context) !=
                (valid[at] == '-' ? c == '-' : is_digit))
                fail_msg("byte %zu, character %d", at, c);
        }
    }
}

static void only_one_header_counts(void **state)
{
    weir_headers_t headers = {NULL, 0, 0};
    weir_trace_context_t context;
    weir_arena_t arena;

    weir_arena_init(&arena);
    weir_headers_add(&headers, &arena, span("tracestate"), span("a=b"));
    assert_false(weir_trace_context_find(&headers, &context));
    weir_headers_add(&headers, &arena, span("TraceParent"), span("00-" TRACE "-" PARENT "-01"));
    assert_true(weir_trace_context_find(&headers, &context));
    assert_memory_equal(context.trace_id, TRACE, WEIR_TRACE_ID_BYTES);
    weir_headers_add(&headers, &arena, span("traceparent"), span("00-" TRACE "-" PARENT "-01")); /* though it says the same */
    assert_false(weir_trace_context_find(&headers, &context));
    weir_arena_finish(&arena);
}

static void makes_and_writes(void **state)
{
    static const uint8_t dice[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    weir_trace_context_t context;
    char out[WEIR_TRACEPARENT_BYTES], span_id[WEIR_SPAN_ID_BYTES];

    weir_span_id_make(dice, span_id);
    weir_trace_context_make(dice, 0, &context);
    weir_traceparent_write(&context, span_id, out);
    assert_memory_equal(out, "00-00112233445566778899aabbccddeeff-0011223344556677-00", WEIR_TRACEPARENT_BYTES);
    assert_true(weir_traceparent_read(span("cc-" TRACE "-" PARENT "-07-more"), &context));
    weir_traceparent_write(&context, span_id, out);
    assert_memory_equal(out, "00-" TRACE "-0011223344556677-01", WEIR_TRACEPARENT_BYTES);
}

/* The last seven bytes decide, whatever stands before them. */
static void the_id_says_who_is_sampled(void **state)
{
    static const struct {
        uint64_t random, share;
        bool is_sampled;
    } rows[] = {
        {0, 0, false},
        {WEIR_TRACE_SHARE_ALL - 1, 0, false},
        {WEIR_TRACE_SHARE_ALL - 1, 1, true},
        {WEIR_TRACE_SHARE_ALL - 2, 1, false},
        {WEIR_TRACE_SHARE_ALL / 2, WEIR_TRACE_SHARE_ALL / 2, true},
        {WEIR_TRACE_SHARE_ALL / 2 - 1, WEIR_TRACE_SHARE_ALL / 2, false},
        {0, WEIR_TRACE_SHARE_ALL - 1, false},
        {1, WEIR_TRACE_SHARE_ALL - 1, true},
        {0, WEIR_TRACE_SHARE_ALL, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int other = 0; other <= 255; other += 255) {
            weir_trace_context_t context;
            uint8_t dice[WEIR_TRACE_ID_DICE];
            memset(dice, other, sizeof(dice));
            for (size_t at = 0; at < 7; at++)
                dice[WEIR_TRACE_ID_DICE - 1 - at] = (uint8_t)(rows[i].random >> 8 * at);
            weir_trace_context_make(dice, rows[i].share, &context);
            assert_int_equal(weir_trace_context_is_sampled(&context), rows[i].is_sampled);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_valid), cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(each_byte_counts),    cmocka_unit_test(only_one_header_counts),
        cmocka_unit_test(makes_and_writes),    cmocka_unit_test(the_id_says_who_is_sampled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
