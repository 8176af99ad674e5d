/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/span.h"
#include "lib/http/accept_encoding.h"

static void knows_what_is_taken(void **state)
{
    static const struct {
        const char *value;
        bool is_taken;
    } rows[] = {
        {"gzip", true},
        {"GZip", true},
        {"deflate, gzip", true},
        {"gzip;q=1.0, br", true},
        {"gzip ; q=0.001", true},
        {"*", true},
        {"br, *;q=0.5", true},
        {"", false},
        {"br", false},
        {"identity", false},
        {"gzip;q=0", false},
        {"gzip; Q=0.000", false},
        {"*, gzip;q=0", false},
        {"gzip;q=0, *", false},
        {"*;q=0", false},
        {"x-gzip", false},
        {"gzipped", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const weir_span_t value = {rows[i].value, strlen(rows[i].value)};
        if (weir_accepts_coding(value, WEIR_SPAN("gzip")) != rows[i].is_taken)
            fail_msg("'%s'", rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(knows_what_is_taken)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
