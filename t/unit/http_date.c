/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/http_date.h"

enum { NOW_S = 1700000000 }; /* in 2023 */

static int64_t read_date(const char *text)
{
    int64_t at_s = -1;

    return weir_http_date_read((weir_span_t){text, strlen(text)}, NOW_S, &at_s) ? at_s : -1;
}

static void reads_all_forms(void **state)
{
    assert_int_equal(read_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(read_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(read_date("Sun Nov  6 08:49:37 1994"), 784111777);
    assert_int_equal(read_date("Sun Nov 16 08:49:37 1994"), 784975777);
    assert_int_equal(read_date("Thu, 29 Feb 2024 23:59:59 GMT"), 1709251199);
    assert_int_equal(read_date("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);
}

static void knows_the_century_of_short_years(void **state)
{
    assert_int_equal(read_date("Thursday, 01-Jan-70 00:00:01 GMT"), 3155760001); /* 2070 is less than 50 years ahead */
    assert_int_equal(read_date("Tuesday, 01-Jan-74 00:00:00 GMT"), 126230400);   /* 2074 would be more */
    assert_int_equal(read_date("Saturday, 01-Jan-00 00:00:00 GMT"), 946684800);
}

static void refuses_what_is_no_date(void **state)
{
    static const char *const texts[] = {
        "",
        "Sun",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "\"etag\"",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (read_date(texts[i]) != -1)
            fail_msg("'%s' is a date", texts[i]);
}

static void writes_what_it_reads(void **state)
{
    static const int64_t instants[] = {0, 784111777, 951782400, 1709251199, 253402300799};
    char text[WEIR_HTTP_DATE_BYTES + 1];

    weir_http_date_write(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
        weir_http_date_write(instants[i], text);
        assert_int_equal(strlen(text), WEIR_HTTP_DATE_BYTES);
        assert_int_equal(read_date(text), instants[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_forms),
        cmocka_unit_test(knows_the_century_of_short_years),
        cmocka_unit_test(refuses_what_is_no_date),
        cmocka_unit_test(writes_what_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
