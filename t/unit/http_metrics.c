/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/base/app_counts.h"
#include "lib/base/scrape.h"

/* ---- buckets and classes ---- */

static void puts_durations_where_they_belong(void **state)
{
    const weir_bounds_t *const all[] = {&weir_bounds_stages, &weir_bounds_callbacks, &weir_bounds_apps};

    for (size_t i = 0; i < 3; i++) {
        assert_in_range(all[i]->count, 1, WEIR_BUCKETS - 1);
        assert_int_equal(weir_bucket_of(all[i], 0), 0);
        for (size_t at = 0; at < all[i]->count; at++) {
            assert_int_equal(weir_bucket_of(all[i], all[i]->us[at]), at);
            assert_int_equal(weir_bucket_of(all[i], all[i]->us[at] + 1), at + 1);
            assert_true(at == 0 || all[i]->us[at] > all[i]->us[at - 1]);
        }
        assert_int_equal(weir_bucket_of(all[i], UINT64_MAX), all[i]->count);
    }
}

static void knows_classes_of_statuses(void **state)
{
    static const struct {
        uint16_t status;
        const char *name;
    } cases[] = {{0, "none"},  {99, "none"}, {100, "1xx"}, {199, "1xx"}, {200, "2xx"},  {399, "3xx"},   {404, "4xx"},
                 {498, "4xx"}, {499, "499"}, {500, "5xx"}, {599, "5xx"}, {600, "none"}, {65535, "none"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(weir_status_class_name(weir_status_class(cases[i].status)), cases[i].name);
}

/* ---- the table ---- */

static bool ends_in(const char *name, const char *end)
{
    const size_t length = strlen(name), end_length = strlen(end);

    return length > end_length && strcmp(name + length - end_length, end) == 0;
}

static void has_a_table_that_can_be_told(void **state)
{
    for (size_t i = 0; i < WEIR_METRICS; i++) {
        const weir_metric_t *metric = &weir_metrics[i];
        assert_int_equal(strncmp(metric->name, "weir_", 5), 0);
        assert_int_equal(ends_in(metric->name, "_total"), metric->type == WEIR_METRIC_COUNTER);
        assert_true(metric->type != WEIR_METRIC_HISTOGRAM || ends_in(metric->name, "_seconds"));
        assert_true(metric->help[0] != '\0' && strstr(metric->query, metric->name) != NULL);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(metric->name, weir_metrics[k].name);
    }
    for (size_t i = 0; i < WEIR_CELLS; i++) {
        const weir_cell_info_t *cell = &weir_cells[i];
        assert_true(cell->sign == 1 || (i > 0 && weir_cells[i - 1].metric == cell->metric));
        assert_string_equal(cell->label != NULL ? cell->label : "", weir_metrics[cell->metric].labels);
    }
}

/* ---- readings ---- */

static char *written(const weir_metric_sink_t *sink, weir_metrics_format_t format)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    weir_scrape_write(sink, out, format);
    fclose(out);
    return text;
}

static void expect(const weir_metric_sink_t *sink, weir_metrics_format_t format, const char *wanted)
{
    char *text = written(sink, format);

    if (strstr(text, wanted) == NULL)
        print_error("missing: %s\nin: %s\n", wanted, text);
    assert_non_null(strstr(text, wanted));
    free(text);
}

static void writes_both_formats(void **state)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    char *text;

    weir_scrape_put(sink, WEIR_METRIC_ID_received, "side", "client", 3);
    weir_scrape_put(sink, WEIR_METRIC_ID_received, "side", "client", 4);
    weir_scrape_put(sink, WEIR_METRIC_ID_config_time, NULL, NULL, 1796044486.25);
    expect(sink, WEIR_METRICS_TEXT, "# TYPE weir_received_bytes_total counter\nweir_received_bytes_total{side=\"client\"} 7\n");
    expect(
        sink, WEIR_METRICS_OPENMETRICS,
        "# TYPE weir_received_bytes counter\n# UNIT weir_received_bytes bytes\nweir_received_bytes_total{side=\"client\"} 7\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_config_last_reload_timestamp_seconds 1796044486.25\n");
    text = written(sink, WEIR_METRICS_OPENMETRICS);
    assert_true(ends_in(text, "\n# EOF\n"));
    free(text);
    text = written(sink, WEIR_METRICS_TEXT);
    assert_null(strstr(text, "EOF"));
    assert_null(strstr(text, "UNIT"));
    assert_null(strstr(text, "weir_tunnels")); /* of which nothing is known */
    free(text);
    weir_scrape_destroy(&sink);
    assert_null(sink);
}

static void chooses_by_accept(void **state)
{
    assert_int_equal(weir_scrape_format((weir_span_t){NULL, 0}), WEIR_METRICS_TEXT);
    assert_int_equal(weir_scrape_format(WEIR_SPAN("*/*")), WEIR_METRICS_TEXT);
    assert_int_equal(weir_scrape_format(WEIR_SPAN("text/plain;version=0.0.4")), WEIR_METRICS_TEXT);
    assert_int_equal(weir_scrape_format(WEIR_SPAN("Application/OpenMetrics-Text;version=1.0.0;q=0.5,*/*;q=0.1")),
                     WEIR_METRICS_OPENMETRICS);
}

static void escapes_labels(void **state)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    const weir_metric_label_t labels[] = {{"app", WEIR_SPAN("a\"b\\c\nd\xc3\xa9\x01")}, {"two", {NULL, 0}}};

    weir_metric_add(sink, "weir_router_things", labels, 2, 1);
    expect(sink, WEIR_METRICS_TEXT, "\nweir_router_things{app=\"a\\\"b\\\\c\\nd\\\\xc3\\\\xa9\\\\x01\",two=\"\"} 1\n");
    weir_scrape_destroy(&sink);
}

static void takes_numbers_as_they_are(void **state)
{
    weir_metric_sink_t *sink = weir_scrape_create();

    weir_metric_add(sink, "weir_router_a", NULL, 0, 1.0 / 4);
    weir_metric_add(sink, "weir_router_b", NULL, 0, -3);
    weir_metric_add(sink, "weir_router_c", NULL, 0, 999999999999999);
    weir_metric_add(sink, "weir_router_d", NULL, 0, 1e300 * 1e300);
    weir_metric_add(sink, "weir_router_e", NULL, 0, 1e300 * 1e300 - 1e300 * 1e300);
    expect(sink, WEIR_METRICS_TEXT, "\nweir_router_a 0.25\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_router_b -3\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_router_c 999999999999999\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_router_d +Inf\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_router_e NaN\n");
    weir_scrape_destroy(&sink);
}

static void drops_what_routers_may_not_say(void **state)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    const weir_metric_label_t bad[] = {{"a-b", WEIR_SPAN("x")}}, le[] = {{"le", WEIR_SPAN("1")}},
                              fine[] = {{"a", WEIR_SPAN("x")}};
    char *text;

    weir_metric_add(sink, "weir_requests_total", NULL, 0, 1); /* the proxy's own */
    weir_metric_add(sink, "weir_other", NULL, 0, 1);
    weir_metric_add(sink, "weir_router_a b", NULL, 0, 1);
    weir_metric_add(sink, NULL, NULL, 0, 1);
    weir_metric_add(sink, "", NULL, 0, 1);
    weir_metric_add(sink, "weir_router_x", bad, 1, 1);
    weir_metric_add(sink, "weir_router_x", le, 1, 1);
    weir_metric_add(sink, "weir_router_x_total", fine, 1, -1);
    weir_metric_add(sink, "weir_queue_wait_seconds", NULL, 0, 1); /* a histogram */
    text = written(sink, WEIR_METRICS_TEXT);
    assert_string_equal(text, "");
    free(text);
    weir_metric_add(sink, "weir_router_x_total", fine, 1, 2);
    weir_metric_add(sink, "weir_apps", NULL, 0, 5); /* the kit's */
    weir_metric_add(sink, "weir_apps", NULL, 0, 6);
    expect(sink, WEIR_METRICS_TEXT, "\nweir_apps 11\n");
    expect(sink, WEIR_METRICS_TEXT, "# TYPE weir_router_x_total counter\nweir_router_x_total{a=\"x\"} 2\n");
    assert_true(weir_metric_once(sink, fine));
    assert_false(weir_metric_once(sink, fine));
    assert_true(weir_metric_once(sink, bad));
    weir_scrape_destroy(&sink);
}

static void bounds_what_routers_say(void **state)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    char *text, name[40];
    size_t lines = 0;

    for (int i = 0; i < 1100; i++) {
        int length = snprintf(name, sizeof(name), "v%d", i);
        const weir_metric_label_t label = {"v", {name, (size_t)length}};
        weir_metric_add(sink, "weir_router_many", &label, 1, 1);
    }
    for (int i = 0; i < 110; i++) {
        (void)snprintf(name, sizeof(name), "weir_router_n%d", i);
        weir_metric_add(sink, name, NULL, 0, 1);
    }
    text = written(sink, WEIR_METRICS_TEXT);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines += at[1] == 'w';
    assert_int_equal(lines, 1000 + 99);
    free(text);
    weir_scrape_destroy(&sink);
}

static void drops_what_nobody_wants(void **state)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    const weir_metric_label_t nobody = {"app", WEIR_SPAN("never counted")};
    char *text, name[40];
    int told = 0;

    assert_true(weir_metric_is_wanted(sink, "weir_apps"));
    assert_true(weir_metric_is_wanted(sink, "weir_router_x"));
    assert_false(weir_metric_is_wanted(sink, "weir_requests_total")); /* the proxy's own */
    assert_false(weir_metric_is_wanted(sink, "weir_member_up"));
    weir_metric_add(sink, "weir_member_up", &nobody, 1, 1);
    weir_metric_add(sink, "weir_app_queue_waiting", &nobody, 1, 1);
    text = written(sink, WEIR_METRICS_TEXT);
    assert_string_equal(text, "");
    free(text);
    weir_scrape_want(sink, true, true);
    for (; told < 1000 && weir_metric_is_wanted(sink, "weir_member_up"); told++) {
        const int length = snprintf(name, sizeof(name), "m%d", told);
        const weir_metric_label_t member = {"member", {name, (size_t)length}};
        weir_metric_add(sink, "weir_member_up", &member, 1, 1);
    }
    assert_int_equal(told, 400);
    weir_metric_add(sink, "weir_app_queue_waiting", &nobody, 1, 2);
    weir_metric_add(sink, "weir_app_queue_waiting", &nobody, 1, 3);
    expect(sink, WEIR_METRICS_TEXT, "\nweir_app_queue_waiting{app=\"other\"} 5\n");
    weir_scrape_destroy(&sink);
}

static void writes_histograms_that_grow(void **state)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    const double bounds[] = {0.5, 1};
    const uint64_t counts[] = {2, 0, 3};
    const weir_metric_label_t label = {"a", WEIR_SPAN("x")};

    for (int i = 0; i < 2; i++)
        weir_metric_histogram(sink, "weir_router_h_seconds", &label, 1, bounds, counts, 2, 7.5);
    expect(sink, WEIR_METRICS_TEXT,
           "# TYPE weir_router_h_seconds histogram\n"
           "weir_router_h_seconds_bucket{a=\"x\",le=\"0.5\"} 4\nweir_router_h_seconds_bucket{a=\"x\",le=\"1.0\"} 4\n"
           "weir_router_h_seconds_bucket{a=\"x\",le=\"+Inf\"} 10\nweir_router_h_seconds_sum{a=\"x\"} 15\n"
           "weir_router_h_seconds_count{a=\"x\"} 10\n");
    weir_scrape_destroy(&sink);
}

/* ---- threads ---- */

static const weir_fault_t of_a_module = {"of_a_module", 502, WEIR_BLAME_ROUTER, NULL};

enum { THREADS = 4, ROUNDS = 20000 };

static void *count(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        weir_metrics_page_t *page = weir_metrics_page();
        weir_metrics_count_request(page, 200, NULL);
        weir_metrics_count_request(page, 502, &of_a_module);
        weir_metrics_add(WEIR_CELL_sent_client, 3);
        weir_histogram_add(&page->times[WEIR_TIMES_queue], &weir_bounds_stages, i % 2 == 0 ? 500 : 501);
    }
    return unused;
}

static void adds_up_threads_and_forgets_none(void **state)
{
    pthread_t threads[THREADS];
    weir_metric_sink_t *sink;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 20; i++) { /* while they count */
        sink = weir_scrape_create();
        weir_scrape_threads(sink);
        weir_scrape_destroy(&sink);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    count(NULL); /* behind threads that have ended */
    sink = weir_scrape_create();
    weir_scrape_threads(sink);
    expect(sink, WEIR_METRICS_TEXT, "\nweir_requests_total{status=\"2xx\",reason=\"\"} 100000\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_requests_total{status=\"5xx\",reason=\"of_a_module\"} 100000\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_requests_total{status=\"4xx\",reason=\"\"} 0\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_sent_bytes_total{side=\"client\"} 300000\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_stage_duration_seconds_bucket{stage=\"queue\",le=\"0.0005\"} 50000\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_stage_duration_seconds_bucket{stage=\"queue\",le=\"0.001\"} 100000\n");
    expect(sink, WEIR_METRICS_TEXT, "\nweir_stage_duration_seconds_sum{stage=\"queue\"} 50.05\n");
    weir_scrape_destroy(&sink);
}

static void counts_stages_by_the_same_bounds(void **state)
{
    static const uint64_t us[] = {0, 1, 499, 500, 501, 1000, 1001, 60000000, 60000001};
    weir_metrics_page_t *page = weir_metrics_page();
    weir_histogram_t *stage = &page->times[WEIR_TIMES_transfer], *other = &page->times[WEIR_TIMES_first_byte];

    for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++) {
        weir_metrics_count_stage(page, WEIR_TIMES_transfer, us[i]);
        weir_histogram_add(other, &weir_bounds_stages, us[i]);
    }
    for (size_t i = 0; i < WEIR_BUCKETS; i++)
        assert_int_equal(atomic_load(&stage->buckets[i]), atomic_load(&other->buckets[i]));
    assert_int_equal(atomic_load(&stage->sum_us), atomic_load(&other->sum_us));
}

static void counts_on_when_there_are_too_many_reasons(void **state)
{
    static char names[600][24];
    static weir_fault_t faults[600];
    weir_metric_sink_t *sink;
    uint64_t sum = 0;

    for (int i = 0; i < 600; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "many_%d", i);
        faults[i] = (weir_fault_t){names[i], 404, WEIR_BLAME_CLIENT, NULL};
        for (int times = 0; times < 2; times++)
            weir_metrics_count_request(weir_metrics_page(), 404, &faults[i]);
    }
    sink = weir_scrape_create();
    weir_scrape_threads(sink);
    char *text = written(sink, WEIR_METRICS_TEXT);
    static const char prefix[] = "weir_requests_total{status=\"4xx\",reason=\"";
    for (const char *at = text; (at = strstr(at, prefix)) != NULL; at++)
        sum += strtoull(strchr(at, ' ') + 1, NULL, 10);
    assert_int_equal(sum, 1200);
    assert_non_null(strstr(text, "status=\"4xx\",reason=\"other\""));
    assert_non_null(strstr(text, "reason=\"many_0\"} 2\n"));
    free(text);
    weir_scrape_destroy(&sink);
}

/* ---- apps ---- */

static void requests_to(const char *app, int times)
{
    for (int i = 0; i < times; i++)
        weir_app_counts_end(weir_app_counts_begin(weir_metrics_page(), (weir_span_t){app, strlen(app)}), 200,
                            i % 2 == 0 ? 4000 : UINT64_MAX);
}

static void *to_a_third(void *unused)
{
    requests_to("third", 5);
    return unused;
}

static char *apps(size_t most)
{
    weir_metric_sink_t *sink = weir_scrape_create();
    char *text;

    weir_scrape_apps(sink, most);
    text = written(sink, WEIR_METRICS_TEXT);
    weir_scrape_destroy(&sink);
    return text;
}

static void has(char *text, const char *wanted)
{
    if (strstr(text, wanted) == NULL)
        print_error("missing: %s\nin: %s\n", wanted, text);
    assert_non_null(strstr(text, wanted));
}

static void tells_the_most_wanted_apps_by_name(void **state)
{
    pthread_t thread;
    char *text = apps(2);

    assert_string_equal(text, "");
    free(text);
    requests_to("first", 10);
    requests_to("second", 4);
    requests_to("third", 3);
    pthread_create(&thread, NULL, to_a_third, NULL);
    pthread_join(thread, NULL);
    weir_app_counts_t *open = weir_app_counts_begin(weir_metrics_page(), WEIR_SPAN("first"));
    text = apps(2);
    has(text, "\nweir_app_requests_total{app=\"first\",status=\"2xx\"} 10\n");
    has(text, "\nweir_app_requests_total{app=\"third\",status=\"2xx\"} 8\n"); /* of two threads */
    has(text, "\nweir_app_requests_total{app=\"other\",status=\"2xx\"} 4\n");
    has(text, "\nweir_app_requests_in_flight{app=\"first\"} 1\n");
    has(text, "\nweir_app_request_duration_seconds_bucket{app=\"first\",le=\"0.005\"} 5\n");
    has(text, "\nweir_app_request_duration_seconds_count{app=\"first\"} 5\n");
    assert_null(strstr(text, "\"second\""));
    free(text);

    weir_app_counts_end(open, 500, 0);
    requests_to("second", 100); /* they are too late: whoever has a name keeps it */
    text = apps(2);
    has(text, "\nweir_app_requests_total{app=\"first\",status=\"5xx\"} 1\n");
    has(text, "\nweir_app_requests_total{app=\"other\",status=\"2xx\"} 104\n");
    assert_null(strstr(text, "\"second\""));
    free(text);
    text = apps(3);
    has(text, "\nweir_app_requests_total{app=\"second\",status=\"2xx\"} 104\n");
    free(text);
}

static void takes_an_app_that_is_called_other(void **state)
{
    char *text;

    requests_to("other", 2);
    requests_to("", 1);
    text = apps(100);
    has(text, "\nweir_app_requests_total{app=\"other\",status=\"2xx\"} 3\n");
    assert_null(strstr(strstr(text, "{app=\"other\",status=\"2xx\"}") + 1, "{app=\"other\",status=\"2xx\"}"));
    free(text);
}

static void counts_so_many_apps_and_no_more(void **state)
{
    char name[24];

    for (int i = 0; i < WEIR_APPS_COUNTED + 50; i++) {
        (void)snprintf(name, sizeof(name), "app%d", i);
        requests_to(name, 1);
    }
    char *text = apps(10);
    const char *other = strstr(text, "weir_app_requests_total{app=\"other\",status=\"2xx\"} ");
    assert_non_null(other);
    assert_in_range(strtoull(strchr(other, ' ') + 1, NULL, 10), WEIR_APPS_COUNTED, WEIR_APPS_COUNTED + 60);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_durations_where_they_belong),
        cmocka_unit_test(knows_classes_of_statuses),
        cmocka_unit_test(has_a_table_that_can_be_told),
        cmocka_unit_test(writes_both_formats),
        cmocka_unit_test(chooses_by_accept),
        cmocka_unit_test(escapes_labels),
        cmocka_unit_test(takes_numbers_as_they_are),
        cmocka_unit_test(drops_what_routers_may_not_say),
        cmocka_unit_test(bounds_what_routers_say),
        cmocka_unit_test(drops_what_nobody_wants),
        cmocka_unit_test(writes_histograms_that_grow),
        cmocka_unit_test(adds_up_threads_and_forgets_none),
        cmocka_unit_test(counts_stages_by_the_same_bounds),
        cmocka_unit_test(counts_on_when_there_are_too_many_reasons),
        cmocka_unit_test(tells_the_most_wanted_apps_by_name),
        cmocka_unit_test(takes_an_app_that_is_called_other),
        cmocka_unit_test(counts_so_many_apps_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
