/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/byte_ranges.h"

static weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

/* "whole", "none" or "first-last first-last …" for a representation of 100 bytes. */
static const char *read_of_100(const char *value)
{
    static char text[WEIR_BYTE_RANGES_MOST * 8 + 1];
    weir_byte_range_t ranges[WEIR_BYTE_RANGES_MOST];
    size_t count, at = 0;
    const weir_ranges_t read = weir_byte_ranges_read(span(value), 100, ranges, &count);

    if (read != WEIR_RANGES_SOME)
        return read == WEIR_RANGES_IGNORED ? "whole" : "none";
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d-%d", i > 0 ? " " : "", (int)ranges[i].first,
                               (int)(ranges[i].first + ranges[i].length_bytes - 1));
    return text;
}

static void reads_ranges(void **state)
{
    static const struct {
        const char *value, *expected;
    } rows[] = {
        {"bytes=0-9", "0-9"},
        {"Bytes=0-9", "0-9"},
        {"bytes=90-", "90-99"},
        {"bytes=-5", "95-99"},
        {"bytes=-1000", "0-99"},
        {"bytes=50-1000", "50-99"},
        {"bytes=0-99999999999999999999999", "0-99"},
        {"bytes= 0-1 ,\t,20-29", "0-1 20-29"},
        {"bytes=20-29,0-1", "20-29 0-1"},
        {"bytes=0-9,100-", "0-9"},
        /* these touch, so they are one */
        {"bytes=0-9,10-19", "0-19"},
        {"bytes=0-9,5-19", "0-19"},
        {"bytes=50-59,0-9,55-70", "50-70 0-9"},
        {"bytes=0-9,20-29,5-25", "0-29"},
        {"bytes=40-49,0-9,20-29,5-45", "0-49"},
        {"bytes=0-,0-,0-", "0-99"},
        /* all of them behind the end */
        {"bytes=100-", "none"},
        {"bytes=99999999999999999999999-", "none"},
        {"bytes=-0", "none"},
        {"bytes=100-,200-300", "none"},
        /* no ranges at all */
        {"items=0-5", "whole"},
        {"bytes", "whole"},
        {"bytes=", "whole"},
        {"bytes=,", "whole"},
        {"bytes=x", "whole"},
        {"bytes=-", "whole"},
        {"bytes=5-2", "whole"},
        {"bytes=0-9,5-2", "whole"},
        {"bytes=0 - 9", "whole"},
        {"bytes=+1-2", "whole"},
        {"bytes=0-9;20-29", "whole"},
        {"bytes=1-2-3", "whole"},
        {"", "whole"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = read_of_100(rows[i].value);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("%s: '%s' instead of '%s'", rows[i].value, got, rows[i].expected);
    }
}

static void knows_a_bound(void **state)
{
    char value[1000] = "bytes=0-0";

    for (int i = 1; i < WEIR_BYTE_RANGES_MOST; i++)
        sprintf(value + strlen(value), ",%d-%d", i % 50 * 2, i % 50 * 2);
    assert_string_not_equal(read_of_100(value), "whole");
    strcat(value, ",1-1");
    assert_string_equal(read_of_100(value), "whole");
}

static void ranges_never_exceed_the_whole(void **state)
{
    unsigned dice = 1;

    for (int round = 0; round < 20000; round++) {
        weir_byte_range_t ranges[WEIR_BYTE_RANGES_MOST];
        char value[400] = "bytes=0-0", seen[100] = {0};
        size_t count;

        for (int i = 0; i < 12; i++) {
            dice = dice * 1103515245u + 12345u;
            const unsigned first = dice >> 16 & 127, length = dice >> 24 & 15;
            sprintf(value + strlen(value), ",%u-%u", first, first + length);
        }
        assert_int_equal(weir_byte_ranges_read(span(value), 100, ranges, &count), WEIR_RANGES_SOME);
        for (size_t i = 0; i < count; i++) {
            assert_true(ranges[i].length_bytes > 0 && ranges[i].first + ranges[i].length_bytes <= 100);
            for (uint64_t at = ranges[i].first; at < ranges[i].first + ranges[i].length_bytes; at++)
                assert_int_equal(seen[at]++, 0);
        }
    }
}

static void reads_an_empty_file(void **state)
{
    weir_byte_range_t ranges[WEIR_BYTE_RANGES_MOST];
    size_t count;

    assert_int_equal(weir_byte_ranges_read(span("bytes=0-"), 0, ranges, &count), WEIR_RANGES_UNSATISFIABLE);
    assert_int_equal(weir_byte_ranges_read(span("bytes=-5"), 0, ranges, &count), WEIR_RANGES_UNSATISFIABLE);
}

static void compares_entity_tags(void **state)
{
    static const struct {
        const char *list, *etag;
        bool weak, strong;
    } rows[] = {
        {"\"a\"", "\"a\"", true, true},
        {"W/\"a\"", "\"a\"", true, false},
        {"\"a\"", "W/\"a\"", true, false},
        {"W/\"a\"", "W/\"a\"", true, false},
        {"\"b\", \"a\"", "\"a\"", true, true},
        {"\"b\",W/\"x,y\",\"a\"", "\"a\"", true, true},
        {"\"b,a\"", "\"a\"", false, false},
        {" * ", "\"a\"", true, true},
        {"*", "", true, true},
        {"a", "\"a\"", false, false},
        {"\"a", "\"a\"", false, false},
        {"w/\"a\"", "\"a\"", false, false},
        {"\"a b\", \"a\"", "\"a\"", false, false},
        {"", "\"a\"", false, false},
        {"\"\"", "\"a\"", false, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (weir_etags_have(span(rows[i].list), span(rows[i].etag), false) != rows[i].weak ||
            weir_etags_have(span(rows[i].list), span(rows[i].etag), true) != rows[i].strong)
            fail_msg("%s against %s", rows[i].list, rows[i].etag);
    }
}

static void knows_entity_tags(void **state)
{
    assert_true(weir_is_etag(span("\"a\"")));
    assert_true(weir_is_etag(span("W/\"a,b\"")));
    assert_true(weir_is_etag(span("\"\"")));
    assert_false(weir_is_etag(span("\"a\", \"b\"")));
    assert_false(weir_is_etag(span("Sun, 06 Nov 1994 08:49:37 GMT")));
    assert_false(weir_is_etag(span("\"a")));
    assert_false(weir_is_etag(span("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ranges),
        cmocka_unit_test(knows_a_bound),
        cmocka_unit_test(ranges_never_exceed_the_whole),
        cmocka_unit_test(reads_an_empty_file),
        cmocka_unit_test(compares_entity_tags),
        cmocka_unit_test(knows_entity_tags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
