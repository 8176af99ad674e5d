/* SPDX-License-Identifier: MIT */
#include "conf/top_document.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log_time.h"
#include "lib/base/must.h"
#include "lib/base/scrape.h"
#include "lib/base/span.h"
#include "lib/walk/exchange.h"
#include "lib/walk/slow.h"
#include "lib/walk/watch.h"
#include "router/admin.h"

enum { OK = 200, MALFORMED = 400, US_PER_MS = 1000, LINE_BYTES = 256, DIGITS = 6 };

static uint64_t began_at_us;

void conf_top_begin(void)
{
    if (began_at_us == 0)
        began_at_us = weir_clock_monotonic_us();
}

/* ---- pieces ---- */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *instant(uint64_t wall_us)
{
    char text[WEIR_LOG_TIME_BYTES];

    return json_stringn(text, weir_log_time_write(wall_us, text) - 1); /* without the blank */
}

static json_t *bounds_of(const weir_bounds_t *bounds)
{
    json_t *list = json_array();

    for (size_t i = 0; i < bounds->count; i++)
        json_array_append_new(list, number(bounds->us[i]));
    return list;
}

/* One count more than there are bounds: the last is of what is above all of them. */
static json_t *histogram_of(const weir_times_sum_t *sum, const weir_bounds_t *bounds)
{
    json_t *list = json_array();

    for (size_t i = 0; i <= bounds->count; i++)
        json_array_append_new(list, number(sum->counts[i]));
    return json_pack("{s:o, s:o}", "counts", list, "sum_us", number(sum->sum_us));
}

/* "none" is two classes: nothing was answered, and what is no status. */
static json_t *statuses_of(const uint64_t statuses[WEIR_STATUS_CLASSES])
{
    json_t *object = json_object();

    for (unsigned i = 0; i < WEIR_STATUS_CLASSES; i++) {
        const char *name = weir_status_class_name(i);
        const uint64_t before = (uint64_t)json_integer_value(json_object_get(object, name));
        json_object_set_new(object, name, number(before + statuses[i]));
    }
    return object;
}

/* ---- the process ---- */

static json_t *stages_of(void)
{
    static const weir_times_id_t stages[] = {WEIR_TIMES_lookup,     WEIR_TIMES_queue,    WEIR_TIMES_connect,
                                             WEIR_TIMES_first_byte, WEIR_TIMES_transfer, WEIR_TIMES_total};
    json_t *object = json_pack("{s:o}", "bounds_us", bounds_of(&weir_bounds_stages));

    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        const weir_times_sum_t sum = weir_scrape_times(stages[i]);
        json_object_set_new(object, weir_times[stages[i]].value, histogram_of(&sum, &weir_bounds_stages));
    }
    return object;
}

/* They join in the order in which their threads begin. */
static void add_loop(const weir_watch_loop_t *loop, void *list)
{
    size_t at = json_array_size(list);

    while (at > 0 && json_integer_value(json_object_get(json_array_get(list, at - 1), "index")) > (json_int_t)loop->number)
        at--;
    json_array_insert_new(list, at,
                          json_pack("{s:i, s:f, s:o, s:o, s:o}", "index", (int)loop->number, "busy",
                                    (double)(int64_t)(loop->busy * 1000 + 0.5) / 1000, "cpu_us", number(loop->cpu_us),
                                    "in_flight", number(loop->in_flight), "connections", number(loop->connections)));
}

static json_t *loops_of(void)
{
    json_t *list = json_array();

    weir_watch_each(add_loop, list);
    return list;
}

/* The second number of /proc/self/statm, in pages (proc(5)). 0: it cannot be known. */
static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[LINE_BYTES] = "";

    if (file == NULL)
        return 0;
    const char *resident = fgets(line, sizeof(line), file) == NULL ? NULL : strchr(line, ' ');
    (void)fclose(file);
    return resident == NULL ? 0 : strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static json_t *slow_of(void)
{
    weir_slow_t calls[WEIR_SLOWS];
    const size_t count = weir_slow_list(calls);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:i, s:s, s:s, s:s, s:o, s:s*}", "at", instant(calls[i].wall_us), "loop",
                                              (int)calls[i].loop, "kind", calls[i].kind, "name", calls[i].name, "callback",
                                              calls[i].callback, "us", number(calls[i].us), "request",
                                              calls[i].id[0] == '\0' ? NULL : calls[i].id));
    return list;
}

static uint64_t difference(uint64_t more, uint64_t less)
{
    return more > less ? more - less : 0;
}

static json_t *process_of(void)
{
    const weir_books_t books = weir_exchange_books();
    const uint64_t client = difference(weir_scrape_cell(WEIR_CELL_client_opened), weir_scrape_cell(WEIR_CELL_client_closed)),
                   backend = difference(weir_scrape_cell(WEIR_CELL_backend_opened), weir_scrape_cell(WEIR_CELL_backend_closed));
    uint64_t statuses[WEIR_STATUS_CLASSES], requests = 0;

    weir_scrape_statuses(statuses);
    for (unsigned i = 0; i < WEIR_STATUS_CLASSES; i++)
        requests += statuses[i];
    return json_pack("{s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o, s:{s:o}, s:o}", "at",
                     instant(weir_clock_wall_us()), "version", WEIR_VERSION, "pid", (int)getpid(), "uptime_ms",
                     number((weir_clock_monotonic_us() - began_at_us) / US_PER_MS), "generation",
                     number(weir_metrics_config().generation), "requests_total", number(requests), "requests_in_flight",
                     number(difference(books.begun, books.ended)), "connections", "client", number(client), "backend",
                     number(backend), "stages", stages_of(), "statuses", statuses_of(statuses), "loops", loops_of(), "memory",
                     "rss_bytes", number(resident_bytes()), "slow", slow_of());
}

/* ---- routers ---- */

typedef struct asking {
    const weir_admin_call_t *call;
    json_t *routers;
    uint64_t waiting;
} asking_t;

static weir_admin_call_t *begin(void *of)
{
    return weir_admin_inner(((const asking_t *)of)->call, "top");
}

/* Statuses and durations are counted of apps by name where weir.metrics-apps wants it. */
static void add_counts(json_t *app)
{
    const char *name = json_string_value(json_object_get(app, "app"));
    weir_app_sum_t sum;

    if (name == NULL || !weir_scrape_app((weir_span_t){name, strlen(name)}, &sum))
        return;
    json_object_set_new(app, "statuses", statuses_of(sum.statuses));
    json_object_set_new(app, "duration", histogram_of(&sum.total, &weir_bounds_apps));
}

/* A router that is not the kit's may answer anything, or nothing: what is no object is left out. */
static void end(void *of, const char *name, weir_admin_call_t *call, bool has_answered)
{
    asking_t *asking = of;
    const weir_span_t text = weir_admin_inner_document(call);
    json_t *document = !has_answered || text.base == NULL ? NULL : json_loadb(text.base, text.len, 0, NULL);

    if (!json_is_object(document)) {
        json_decref(document);
        return;
    }
    json_object_set_new(document, "name", json_string(name));
    asking->waiting += (uint64_t)json_integer_value(json_object_get(document, "waiting"));
    const json_t *apps = json_object_get(document, "apps");
    for (size_t i = 0; i < json_array_size(apps); i++)
        if (json_is_object(json_array_get(apps, i)))
            add_counts(json_array_get(apps, i));
    json_array_append_new(asking->routers, document);
}

/* False: it was answered. */
static bool check_order(weir_admin_call_t *call)
{
    static const char *const words[] = {"requests", "errors", "queue", "latency"};
    const weir_span_t order = weir_admin_parameter(call, "sort");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (order.base == NULL || (strlen(words[i]) == order.len && memcmp(order.base, words[i], order.len) == 0))
            return true;
    weir_admin_problem(call, MALFORMED, "invalid-value", NULL, "sort: must be requests, errors, queue, or latency");
    return false;
}

void conf_top_answer(weir_admin_call_t *call)
{
    asking_t asking = {.call = call, .routers = json_array()};
    const weir_administered_asking_t each = {begin, end, &asking};

    if (!check_order(call)) {
        json_decref(asking.routers);
        return;
    }
    json_t *document = process_of();
    WEIR_MUST(document != NULL);
    weir_administered_each(&each);
    json_object_set_new(document, "waiting", number(asking.waiting));
    json_object_set_new(document, "app_bounds_us", bounds_of(&weir_bounds_apps));
    json_object_set_new(document, "routers", asking.routers);
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    weir_admin_answer(call, OK, text, text == NULL ? 0 : strlen(text));
    free(text);
    json_decref(document);
}
