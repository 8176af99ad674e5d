/* SPDX-License-Identifier: MIT */
#include "lib/base/log_time.h"

#include "unit.h"

static void assert_time(uint64_t wall_us, const char *expected)
{
    char text[WEIR_LOG_TIME_BYTES], anew[WEIR_LOG_TIME_BYTES];

    assert_int_equal(weir_log_time_write(wall_us, text), WEIR_LOG_TIME_BYTES);
    assert_int_equal(strlen(expected), WEIR_LOG_TIME_BYTES);
    assert_memory_equal(text, expected, WEIR_LOG_TIME_BYTES);
    assert_int_equal(weir_log_time_write_anew(wall_us, anew), WEIR_LOG_TIME_BYTES);
    assert_memory_equal(anew, expected, WEIR_LOG_TIME_BYTES);
}

static void is_the_calendars(void **state)
{
    assert_time(0, "1970-01-01T00:00:00.000Z ");
    assert_time(951782399UL * 1000000 + 999999, "2000-02-28T23:59:59.999Z ");
    assert_time(951782400UL * 1000000, "2000-02-29T00:00:00.000Z ");
    assert_time(951868800UL * 1000000, "2000-03-01T00:00:00.000Z ");
    assert_time(1798675199UL * 1000000 + 123456, "2026-12-30T23:59:59.123Z ");
    assert_time(4107542399UL * 1000000, "2100-02-28T23:59:59.000Z ");
    assert_time(4107542400UL * 1000000, "2100-03-01T00:00:00.000Z ");
    assert_time(253402300799UL * 1000000, "9999-12-31T23:59:59.000Z ");
}

static void is_what_the_c_library_says(void **state)
{
    for (uint64_t second = 0; second < 253402300800UL; second += 86400UL * 11 + 7919) {
        const time_t at = (time_t)second;
        char expected[64];
        struct tm parts;

        gmtime_r(&at, &parts);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.007Z ", &parts);
        assert_time(second * 1000000 + 7000, expected);
    }
}

static void a_second_is_kept_and_left(void **state)
{
    assert_time(1000000000UL * 1000000, "2001-09-09T01:46:40.000Z ");
    assert_time(1000000000UL * 1000000 + 5000, "2001-09-09T01:46:40.005Z ");
    assert_time(1000000001UL * 1000000 + 5000, "2001-09-09T01:46:41.005Z ");
    assert_time(1000000000UL * 1000000 + 6000, "2001-09-09T01:46:40.006Z "); /* the clock was set back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_calendars),
        cmocka_unit_test(is_what_the_c_library_says),
        cmocka_unit_test(a_second_is_kept_and_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
