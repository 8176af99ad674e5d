/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/base/scrape.h"

#define ONE "0af7651916cd43dd8448eb211c80319c"
#define OTHER "ffffffffffffffffffffffffffffffff"

enum { ROUNDS = 200000 };

static weir_exemplar_t exemplar(const char *trace_id, uint64_t us, uint64_t wall_us)
{
    weir_exemplar_t made = {.us = us, .wall_us = wall_us};

    memcpy(made.trace_id, trace_id, sizeof(made.trace_id));
    return made;
}

static char *scraped(weir_metrics_format_t format)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    weir_scrape_threads(sink);
    weir_scrape_write(sink, out, format);
    assert_int_equal(fclose(out), 0);
    weir_scrape_destroy(&sink);
    return text;
}

static void none_at_first(void **state)
{
    weir_exemplar_t found;
    char *text = scraped(WEIR_METRICS_OPENMETRICS);

    for (size_t i = 0; i < WEIR_BUCKETS; i++)
        assert_false(weir_exemplar_newest(i, &found));
    assert_null(strstr(text, "trace_id"));
    free(text);
}

static void stands_in_its_bucket(void **state)
{
    const weir_exemplar_t small = exemplar(ONE, 12345, 1700000000123456), large = exemplar(OTHER, 99000000, 1700000001000000);
    char *text;

    weir_exemplar_note(weir_metrics_page(), &small);
    weir_exemplar_note(weir_metrics_page(), &large);
    text = scraped(WEIR_METRICS_OPENMETRICS);
    assert_non_null(strstr(text, "\nweir_stage_duration_seconds_bucket{stage=\"total\",le=\"0.025\"} 0 # {trace_id=\"" ONE
                                 "\"} 0.012345 1700000000.123\n"));
    assert_non_null(strstr(text, "\nweir_stage_duration_seconds_bucket{stage=\"total\",le=\"+Inf\"} 0 # {trace_id=\"" OTHER
                                 "\"} 99.000000 1700000001.000\n"));
    assert_non_null(strstr(text, "\nweir_stage_duration_seconds_bucket{stage=\"total\",le=\"0.05\"} 0\n"));
    free(text);
    text = scraped(WEIR_METRICS_TEXT);
    assert_null(strstr(text, "trace_id"));
    free(text);
}

static void *note_other(void *arg)
{
    weir_exemplar_note(weir_metrics_page(), arg);
    return NULL;
}

static void the_newest_of_all_threads_counts(void **state)
{
    weir_exemplar_t mine = exemplar(ONE, 1, 2000), theirs = exemplar(OTHER, 2, 3000), found;
    pthread_t thread;

    weir_exemplar_note(weir_metrics_page(), &mine);
    assert_int_equal(pthread_create(&thread, NULL, note_other, &theirs), 0);
    pthread_join(thread, NULL);
    assert_true(weir_exemplar_newest(0, &found));
    assert_memory_equal(&found, &theirs, sizeof(found));
    mine.wall_us = 4000;
    weir_exemplar_note(weir_metrics_page(), &mine);
    assert_true(weir_exemplar_newest(0, &found));
    assert_memory_equal(&found, &mine, sizeof(found));
}

static void *note_many(void *arg)
{
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        const weir_exemplar_t one = exemplar(i % 2 == 0 ? ONE : OTHER, 600 + i % 2, 10 * i + i % 2);
        weir_exemplar_note(weir_metrics_page(), &one);
    }
    return NULL;
}

/* What is read while another thread writes is one exemplar, and not half of two. */
static void none_is_read_in_halves(void **state)
{
    weir_exemplar_t found = {.us = 0};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, note_many, NULL), 0);
    while (found.wall_us < 10 * (uint64_t)ROUNDS) {
        if (!weir_exemplar_newest(1, &found))
            continue;
        const uint64_t odd = found.us - 600;
        assert_in_range(odd, 0, 1);
        assert_int_equal(found.wall_us % 10, odd);
        assert_memory_equal(found.trace_id, odd == 0 ? ONE : OTHER, sizeof(found.trace_id));
    }
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_at_first),
        cmocka_unit_test(stands_in_its_bucket),
        cmocka_unit_test(the_newest_of_all_threads_counts),
        cmocka_unit_test(none_is_read_in_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
