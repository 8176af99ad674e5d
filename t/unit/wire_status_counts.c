/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/local/status_counts.h"

static void knows_durations_within_an_eighth(void **state)
{
    for (int64_t us = 0; us < INT64_MAX / 3; us = us * 3 / 2 + 1) {
        weir_status_counts_t *counts = calloc(1, sizeof(*counts));

        weir_status_count_duration(counts, 2, us);
        const uint64_t told = weir_status_quantile(counts, 2, 50);
        if (us < INT64_C(1) << 62)
            assert_in_range(told, us, us + us / 8);
        free(counts);
    }
}

static void takes_what_is_no_duration(void **state)
{
    weir_status_counts_t *counts = calloc(1, sizeof(*counts));

    assert_int_equal(weir_status_quantile(counts, 0, 99), 0);
    weir_status_count_duration(counts, 0, -5);
    assert_int_equal(weir_status_quantile(counts, 0, 99), 0);
    weir_status_count_duration(counts, 0, INT64_MAX);
    assert_true(weir_status_quantile(counts, 0, 99) > 1);
    free(counts);
}

static void finds_quantiles_of_sums(void **state)
{
    weir_status_counts_t *one = calloc(1, sizeof(*one)), *sum = calloc(1, sizeof(*sum));

    for (int i = 1; i <= 10; i++)
        weir_status_count_duration(one, 6, i);
    one->by_status[404] = 3;
    weir_status_counts_add(sum, one);
    weir_status_counts_add(sum, one);
    assert_int_equal(weir_status_quantile(sum, 6, 0), 1);
    assert_int_equal(weir_status_quantile(sum, 6, 25), 3);
    assert_int_equal(weir_status_quantile(sum, 6, 50), 5);
    assert_int_equal(weir_status_quantile(sum, 6, 99), 10);
    assert_int_equal(weir_status_quantile(sum, 5, 50), 0);
    assert_int_equal(sum->by_status[404], 6);
    free(one);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_durations_within_an_eighth),
        cmocka_unit_test(takes_what_is_no_duration),
        cmocka_unit_test(finds_quantiles_of_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
