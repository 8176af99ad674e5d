/* SPDX-License-Identifier: MIT */
/* What `weir top` makes of documents and keys: percentiles, rates, columns, and what is selected. */
#include "conf/top_screen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- numbers ---- */

static void percentiles_lie_in_their_buckets(void **state)
{
    top_histogram_t histogram = {.bound_count = 3, .bounds_us = {100, 200, 400}};

    assert_true(isnan(top_percentile(&histogram, 0.5)));
    histogram.counts[1] = 10;
    assert_true(top_percentile(&histogram, 0.5) == 150);
    assert_true(top_percentile(&histogram, 1) == 200);
    histogram.counts[0] = 10;
    assert_true(top_percentile(&histogram, 0.5) == 100);
    assert_true(top_percentile(&histogram, 0.25) == 50);
    assert_true(top_percentile(&histogram, 0) == 0);
    histogram.counts[3] = 20; /* above all bounds nothing is known but that */
    assert_true(top_percentile(&histogram, 0.99) == 400);
    assert_true(isnan(top_percentile(&(top_histogram_t){.bound_count = 0}, 0.5)));
}

static const char *us(double value)
{
    static char text[TOP_CELL_BYTES];

    top_write_us(value, text);
    return text;
}

static const char *count(double value)
{
    static char text[TOP_CELL_BYTES];

    top_write_count(value, text);
    return text;
}

static const char *percent(double value)
{
    static char text[TOP_CELL_BYTES];

    top_write_percent(value, text);
    return text;
}

static void numbers_are_short(void **state)
{
    char text[TOP_CELL_BYTES];

    assert_string_equal(us(NAN), "-");
    assert_string_equal(us(450), "0.45ms");
    assert_string_equal(us(12000), "12ms");
    assert_string_equal(us(1200000), "1.2s");
    assert_string_equal(us(150e6), "2.5m");
    assert_string_equal(count(0), "0");
    assert_string_equal(count(0.51), "0.5");
    assert_string_equal(count(1234.5), "1234");
    assert_string_equal(count(12345), "12345");
    assert_string_equal(count(123456), "123.5k");
    assert_string_equal(count(4.5e6), "4.5M");
    assert_string_equal(percent(0), "0");
    assert_string_equal(percent(0.0004), "<0.1");
    assert_string_equal(percent(0.012), "1.2");
    assert_string_equal(percent(1), "100");
    top_write_bytes(1536 * 1024, text);
    assert_string_equal(text, "1.5 MiB");
    top_write_age(184000, text);
    assert_string_equal(text, "3m 04s");
    top_write_age(90000000, text);
    assert_string_equal(text, "25h 00m");
}

static void nothing_of_a_text_is_an_order(void **state)
{
    char text[16];

    top_clean("a\x1b[2J\xc2\x9b"
              "1m",
              text, sizeof(text));
    assert_string_equal(text, "a?[2J?1m");
    top_clean("\xc3\xa4\xe2\x82\xac", text, 5);
    assert_string_equal(text, "\xc3\xa4");
    top_clean("\xe2\x82", text, sizeof(text));
    assert_string_equal(text, "");
}

/* ---- models ---- */

/* A document with two apps; of every request of `shop` a tenth failed. */
static json_t *document(int uptime_ms, int requests, int apps)
{
    json_t *list = json_array();

    for (int i = 0; i < apps; i++) {
        char name[16];
        snprintf(name, sizeof(name), i == 0 ? "shop" : "app-%02d", i);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:{s:i, s:i, s:i}, s:{s:[i,i,i]}}",
                                        "app", name, "state", i == 1 ? "paused" : "up", "in_flight", i, "waiting", 2 * i,
                                        "requests", i == 0 ? requests : 0, "failures", i == 0 ? requests / 10 : 0, "retries", 0,
                                        "answers_10s", i == 0 ? 10 : 0, "failures_10s", 0, "head_ms", 12.5 * i, "members", "up",
                                        2, "silent", 1, "draining", 1, "duration", "counts", i == 0 ? requests : 0, 0, 0));
    }
    return json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:{s:i, s:i}, s:{s:i, s:i, s:i}, s:{s:[i,i], s:{s:[i,i,i]}}, s:[{s:f}, "
        "{s:f}], s:{s:i}, s:[{s:s, s:i, s:s, s:s, s:s, s:i}], s:[i,i], s:[{s:s, s:i, s:o}]}",
        "at", "2026-11-30T12:04:31.000Z", "version", "1.2.3", "pid", 77, "uptime_ms", uptime_ms, "generation", 1,
        "requests_total", requests, "requests_in_flight", 4, "waiting", 3, "connections", "client", 5, "backend", 6, "statuses",
        "2xx", requests * 9 / 10, "4xx", 0, "5xx", requests / 10, "stages", "bounds_us", 1000, 3000, "total", "counts", 0,
        requests, 0, "loops", "busy", 0.5, "busy", 0.015, "memory", "rss_bytes", 1 << 20, "slow", "at",
        "2026-11-30T12:04:30.000Z", "loop", 2, "kind", "router", "name", "shop", "callback", "log", "us", 45000,
        "app_bounds_us", 5000, 25000, "routers", "name", "main", "total", apps, "apps", list);
}

static top_model_t *model_of(int apps)
{
    json_t *before = document(1000, 100, apps), *after = document(3000, 300, apps);
    top_model_t *model = top_model_make(before, after);

    json_decref(before);
    json_decref(after);
    return model;
}

static void two_documents_make_rates(void **state)
{
    top_model_t *model = model_of(3);

    assert_false(model->is_since_start);
    assert_true(model->rate == 100);
    assert_true(fabs(model->share_5xx - 0.1) < 1e-9 && model->share_4xx == 0);
    assert_true(model->p50_us[3] == 2000 && isnan(model->p50_us[0]));
    assert_int_equal(model->loop_count, 2);
    assert_string_equal(model->slow[0], "12:04:30 log of router shop: 45ms on loop 2");
    assert_int_equal(model->app_count, 3);
    assert_true(model->apps[0].rate == 100 && model->apps[0].error_share == 0.1);
    assert_true(model->apps[0].p50_us == 2500 && isnan(model->apps[1].p50_us));
    assert_int_equal(model->apps[0].well, 2);
    assert_int_equal(model->apps[0].ill, 1);
    assert_int_equal(model->apps[0].draining, 1);
    assert_string_equal(model->apps[1].course, "paused");
    top_model_free(&model);
}

/* Of a router: so many changes, ten seconds apart, the newest first. */
static void add_changes(json_t *router, int count, int newest_s)
{
    json_t *list = json_array();

    for (int i = 0; i < count; i++) {
        char at[32], path[32];
        snprintf(at, sizeof(at), "2026-11-30T12:04:%02d.000Z", newest_s - 10 * i);
        snprintf(path, sizeof(path), "/apps/app-%d", i);
        json_array_append_new(list, json_pack("{s:s, s:{s:i, s:i}, s:s, s:s}", "at", at, "who", "uid", 1000, "pid", 77, "op",
                                              "patch", "path", path));
    }
    json_object_set_new(router, "changes", list);
}

static void the_newest_changes_are_those_of_all_routers(void **state)
{
    json_t *after = document(3000, 300, 1), *routers = json_object_get(after, "routers"), *router = json_array_get(routers, 0);

    add_changes(router, 2, 30);
    top_model_t *model = top_model_make(NULL, after);
    assert_int_equal(model->change_count, 2);
    assert_string_equal(model->changes[0], "12:04:30 uid 1000 (pid 77): patch /apps/app-0");
    top_model_free(&model);
    add_changes(router, 5, 55);
    json_array_append_new(routers, json_pack("{s:s}", "name", "other"));
    add_changes(json_array_get(routers, 1), 4, 52);
    json_t *own = json_array_get(json_object_get(router, "changes"), 1),
           *of_other = json_object_get(json_array_get(routers, 1), "changes");
    json_object_set_new(own, "who", json_null());
    json_object_set_new(
        json_array_get(of_other, 1), "who",
        json_pack("{s:i, s:i, s:s, s:s}", "uid", -1, "pid", -1, "name", "token \x1b[2J", "address", "192.0.2.1:4711"));
    json_array_append_new(routers, json_pack("{s:s, s:[i, n, {}]}", "name", "foreign", "changes", 1));
    model = top_model_make(NULL, after);
    assert_int_equal(model->change_count, TOP_CHANGES_MOST);
    assert_string_equal(model->changes[0], "12:04:55 uid 1000 (pid 77): patch main/apps/app-0");
    assert_string_equal(model->changes[1], "12:04:52 uid 1000 (pid 77): patch other/apps/app-0");
    assert_string_equal(model->changes[2], "12:04:45 weir: patch main/apps/app-1");
    assert_string_equal(model->changes[3], "12:04:42 token ?[2J (192.0.2.1:4711): patch other/apps/app-1");
    assert_string_equal(model->changes[4], "12:04:35 uid 1000 (pid 77): patch main/apps/app-2");
    top_model_free(&model);
    json_decref(after);
}

static void what_begins_anew_is_since_the_start(void **state)
{
    json_t *before = document(9000, 900, 1), *after = document(2000, 50, 1);
    top_model_t *model = top_model_make(before, after);

    assert_true(model->is_since_start && model->rate == 25);
    top_model_free(&model);
    model = top_model_make(NULL, after);
    assert_true(model->is_since_start && model->rate == 25);
    top_model_free(&model);
    json_object_set_new(after, "routers", json_string("nonsense"));
    json_object_set_new(after, "stages", json_null());
    model = top_model_make(before, after);
    assert_int_equal(model->app_count, 0);
    assert_true(isnan(model->p50_us[3]));
    top_model_free(&model);
    json_decref(before);
    json_decref(after);
}

static void apps_are_sorted(void **state)
{
    top_model_t *model = model_of(4);

    top_model_sort(model, TOP_BY_WAITING);
    assert_string_equal(model->apps[0].shown, "app-03");
    top_model_sort(model, TOP_BY_REQUESTS);
    assert_string_equal(model->apps[0].shown, "shop");
    assert_string_equal(model->apps[1].shown, "app-01");
    top_model_sort(model, TOP_BY_ERRORS);
    assert_string_equal(model->apps[0].shown, "shop");
    top_model_sort(model, TOP_BY_LATENCY);
    assert_string_equal(model->apps[0].shown, "app-03");
    top_model_free(&model);
}

/* ---- pages ---- */

static top_page_t page;

static const char *line_with(const char *text)
{
    for (size_t i = 0; i < page.count; i++)
        if (strstr(page.lines[i].text, text) != NULL)
            return page.lines[i].text;
    return "";
}

static void draw(top_screen_t *screen, const top_model_t *model, size_t columns, size_t rows)
{
    top_page_begin(&page, columns, rows);
    top_screen_draw(screen, model, NULL, &page);
}

static void columns_give_way_where_it_is_narrow(void **state)
{
    top_model_t *model = model_of(3);
    top_screen_t screen = {.at = 0};

    top_model_sort(model, TOP_BY_REQUESTS);
    draw(&screen, model, 120, 24);
    assert_int_equal(page.count, 24);
    assert_int_equal(strlen(line_with("APP ")), 120);
    assert_non_null(strstr(line_with("APP "), " RETRY/S "));
    assert_non_null(strstr(line_with("app-01"), "app-01 (paused)"));
    for (size_t width = 119; width >= 20; width--) {
        draw(&screen, model, width, 24);
        assert_true(strlen(line_with("APP ")) <= width);
        assert_int_equal(page.count, 24);
    }
    draw(&screen, model, 80, 24);
    assert_null(strstr(line_with("APP "), " HEAD "));
    assert_non_null(strstr(line_with("APP "), " 5XX% "));
    draw(&screen, model, 45, 24);
    assert_non_null(strstr(line_with("APP "), " REQ/S "));
    assert_non_null(strstr(line_with("APP "), " ILL"));
    top_model_free(&model);
}

static void every_size_is_filled_and_no_more(void **state)
{
    top_model_t *model = model_of(40);
    top_screen_t screen = {.at = 0};

    for (size_t rows = 4; rows < 60; rows++) {
        draw(&screen, model, 80, rows);
        assert_int_equal(page.count, rows);
        assert_non_null(strstr(page.lines[rows - 1].text, "q quit"));
    }
    top_model_free(&model);
}

static size_t lines_with(const char *text)
{
    size_t count = 0;

    for (size_t i = 0; i < page.count; i++)
        count += strstr(page.lines[i].text, text) != NULL;
    return count;
}

static void changes_give_way_where_it_is_low(void **state)
{
    json_t *after = document(3000, 300, 40);
    top_screen_t screen = {.at = 0};

    add_changes(json_array_get(json_object_get(after, "routers"), 0), 5, 55);
    top_model_t *model = top_model_make(NULL, after);
    draw(&screen, model, 80, 24);
    assert_int_equal(lines_with("change: "), 5);
    assert_non_null(strstr(page.lines[page.count - 2].text, "change: 12:04:15 "));
    assert_int_equal(lines_with("app-"), 8 + 5);
    draw(&screen, model, 80, 20);
    assert_int_equal(lines_with("change: "), 2);
    assert_non_null(strstr(page.lines[page.count - 2].text, "change: 12:04:45 "));
    draw(&screen, model, 80, 16);
    assert_int_equal(lines_with("change: "), 0);
    assert_int_equal(lines_with("slow: "), 1);
    for (size_t rows = 4; rows < 60; rows++) {
        draw(&screen, model, 80, rows);
        assert_int_equal(page.count, rows);
        assert_non_null(strstr(page.lines[rows - 1].text, "q quit"));
    }
    top_model_free(&model);
    json_decref(after);
}

static void a_cell_that_does_not_fit_says_so(void **state)
{
    static char text[4096];
    top_screen_t screen = {.at = 0};
    json_t *document_of_one = document(1000, 1, 1);
    json_t *app = json_array_get(json_object_get(json_array_get(json_object_get(document_of_one, "routers"), 0), "apps"), 0);
    FILE *out = fmemopen(text, sizeof(text), "w");

    json_object_set_new(app, "app", json_string("a-name-that-is-longer-than-the-twenty-columns-it-may-have"));
    top_model_t *model = top_model_make(NULL, document_of_one);
    draw(&screen, model, 50, 20);
    assert_non_null(strstr(line_with("a-name"), "~ "));
    top_page_paint(&page, out, true);
    fclose(out);
    assert_non_null(strstr(text, "\x1b[7ma-name"));
    top_model_free(&model);
    json_decref(document_of_one);
}

/* ---- keys ---- */

static top_key_t key_of(const char *bytes, bool is_all, size_t *out_bytes)
{
    const top_typed_t typed = top_read_key(bytes, strlen(bytes), is_all);

    *out_bytes = typed.bytes;
    return typed.key;
}

static void keys_are_read(void **state)
{
    size_t bytes;

    assert_int_equal(key_of("\x1b[A", false, &bytes), TOP_KEY_UP);
    assert_int_equal(bytes, 3);
    assert_int_equal(key_of("\x1bOBq", false, &bytes), TOP_KEY_DOWN);
    assert_int_equal(bytes, 3);
    assert_int_equal(key_of("\x1b[6~x", false, &bytes), TOP_KEY_PAGE_DOWN);
    assert_int_equal(bytes, 4);
    (void)key_of("\x1b", false, &bytes);
    assert_int_equal(bytes, 0);
    (void)key_of("\x1b[1;5", false, &bytes);
    assert_int_equal(bytes, 0);
    assert_int_equal(key_of("\x1b", true, &bytes), TOP_KEY_ESCAPE);
    assert_int_equal(key_of("\x1b[1;5", true, &bytes), TOP_KEY_NONE);
    assert_int_equal(bytes, 5);
    assert_int_equal(key_of("\x1b[1;5A", false, &bytes), TOP_KEY_NONE);
    assert_int_equal(bytes, 6);
    assert_int_equal(key_of("\r", false, &bytes), TOP_KEY_ENTER);
    assert_int_equal(key_of("\x7f", false, &bytes), TOP_KEY_ERASE);
    assert_int_equal(key_of("\x03", false, &bytes), TOP_KEY_INTERRUPT);
    assert_int_equal(key_of("\xc3\xa4", false, &bytes), TOP_KEY_NONE);
}

static void type(top_screen_t *screen, const top_model_t *model, const char *bytes)
{
    size_t count = strlen(bytes);

    while (count > 0) {
        const top_typed_t typed = top_read_key(bytes, count, true);
        top_screen_key(screen, model, &typed, 24);
        bytes += typed.bytes;
        count -= typed.bytes;
    }
}

static void who_is_selected_is_known_by_name(void **state)
{
    top_model_t *model = model_of(40);
    top_screen_t screen = {.at = 0};

    top_model_sort(model, TOP_BY_REQUESTS);
    type(&screen, model, "jj\x1b[B");
    assert_string_equal(screen.selected, "app-03");
    draw(&screen, model, 80, 24);
    type(&screen, model, "w");
    top_model_sort(model, screen.order);
    draw(&screen, model, 80, 24);
    assert_int_equal(screen.at, 0);
    type(&screen, model, "j");
    assert_string_equal(screen.selected, "app-38");
    top_model_sort(model, TOP_BY_REQUESTS);
    draw(&screen, model, 80, 24); /* it has moved, and is still in sight */
    assert_true(screen.at == 38 && screen.first <= 38);
    assert_non_null(strstr(line_with("app-38"), "app-38"));
    type(&screen, model, "\x1b[H");
    assert_string_equal(screen.selected, "shop");
    type(&screen, model, "\x1b[F");
    assert_string_equal(screen.selected, "app-39");
    type(&screen, model, "\x1b[5~");
    assert_true(screen.at < 39 && screen.at > 0);
    top_model_free(&model);
}

static void a_filter_is_typed_and_erased(void **state)
{
    top_model_t *model = model_of(40);
    top_screen_t screen = {.at = 0};

    type(&screen, model, "/P-1q\x7f");
    assert_string_equal(screen.filter, "P-1");
    assert_false(screen.is_over);
    draw(&screen, model, 80, 40);
    assert_string_equal(line_with("shop "), "");
    assert_non_null(strstr(line_with("app-12"), "app-12"));
    type(&screen, model, "\r\x1b");
    assert_string_equal(screen.filter, "");
    assert_false(screen.is_over);
    type(&screen, model, "\x1b");
    assert_true(screen.is_over);
    top_model_free(&model);
}

static void a_filter_that_nobody_passes_does_no_harm(void **state)
{
    top_model_t *model = model_of(2);
    top_screen_t screen = {.at = 0};

    type(&screen, model, "/nobody\r\r jk\x1b[6~");
    assert_int_equal(screen.view, TOP_VIEW_APPS);
    draw(&screen, model, 80, 24);
    type(&screen, NULL, "jk\r");
    draw(&screen, NULL, 80, 24);
    top_model_free(&model);
}

static void members_are_shown(void **state)
{
    top_model_t *model = model_of(2);
    top_screen_t screen = {.at = 0};
    json_t *members = json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:s}]}", "backends", "id", "web-1", "at",
                                "10.0.0.1:8080", "state", "up", "health", "silent", "because", "silent for 5 s", "in_flight", 3,
                                "waiting", 1, "head_ms", 41.2, "until", "2026-11-30T12:04:31.000Z");

    top_model_sort(model, TOP_BY_REQUESTS);
    type(&screen, model, "\r");
    assert_int_equal(screen.view, TOP_VIEW_MEMBERS);
    assert_string_equal(screen.app, "shop");
    assert_string_equal(screen.router, "main");
    draw(&screen, model, 160, 24);
    top_page_begin(&page, 160, 24);
    top_screen_draw(&screen, model, members, &page);
    assert_non_null(strstr(line_with("web-1"), "silent for 5 s"));
    assert_non_null(strstr(line_with("web-1"), "12:04:31"));
    type(&screen, model, "j?");
    assert_int_equal(screen.view, TOP_VIEW_HELP);
    draw(&screen, model, 100, 24);
    assert_string_equal(page.lines[0].text, "weir top");
    type(&screen, model, "x");
    assert_int_equal(screen.view, TOP_VIEW_MEMBERS);
    type(&screen, model, "\x1b");
    assert_int_equal(screen.view, TOP_VIEW_APPS);
    type(&screen, model, "q");
    assert_true(screen.is_over);
    json_decref(members);
    top_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_lie_in_their_buckets),
        cmocka_unit_test(numbers_are_short),
        cmocka_unit_test(nothing_of_a_text_is_an_order),
        cmocka_unit_test(two_documents_make_rates),
        cmocka_unit_test(the_newest_changes_are_those_of_all_routers),
        cmocka_unit_test(what_begins_anew_is_since_the_start),
        cmocka_unit_test(apps_are_sorted),
        cmocka_unit_test(columns_give_way_where_it_is_narrow),
        cmocka_unit_test(every_size_is_filled_and_no_more),
        cmocka_unit_test(changes_give_way_where_it_is_low),
        cmocka_unit_test(a_cell_that_does_not_fit_says_so),
        cmocka_unit_test(keys_are_read),
        cmocka_unit_test(who_is_selected_is_known_by_name),
        cmocka_unit_test(a_filter_is_typed_and_erased),
        cmocka_unit_test(a_filter_that_nobody_passes_does_no_harm),
        cmocka_unit_test(members_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
