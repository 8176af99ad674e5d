/* SPDX-License-Identifier: MIT */
#include "conf/top_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/top_numbers.h"
#include "lib/base/must.h"

enum { MS_PER_S = 1000, US_PER_MS = 1000, KEPT_S = 10 };

/* The two that are compared. */
typedef struct pair {
    const json_t *before, *after; /* before NULL: there is none */
    double seconds;               /* between them, or since the start */
    json_t *apps_before;          /* by "router\napp"; NULL with before */
} pair_t;

/* ---- texts ---- */

void top_clean(const char *text, char *to, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)(text == NULL ? "" : text);
    size_t length = 0;

    while (*at != '\0') {
        const size_t size = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
        const bool is_order = *at < ' ' || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0);
        if (strnlen((const char *)at, size) < size || length + size >= bytes)
            break;
        if (is_order)
            to[length++] = '?';
        else
            for (size_t i = 0; i < size; i++)
                to[length++] = (char)at[i];
        at += size;
    }
    to[length] = '\0';
}

static const char *text_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

/* ---- numbers ---- */

static double number_in(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

static uint64_t count_in(const json_t *object, const char *key)
{
    const json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

/* How much a counter has grown; NAN: it is not there, or has begun anew. */
static double growth(const json_t *before, const json_t *after, const char *key)
{
    const double now = number_in(after, key), then = before == NULL ? 0 : number_in(before, key);

    return now >= then ? now - then : NAN;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

static double sum_of(const json_t *before, const json_t *after)
{
    double sum = 0;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)after, key, value)
    {
        sum += growth(before, after, key);
    }
    return sum;
}

/* False: there is nothing, or it has begun anew. */
static bool read_histogram(const json_t *bounds, const json_t *before, const json_t *after, top_histogram_t *out)
{
    const json_t *counts = json_object_get(after, "counts"), *counts_before = json_object_get(before, "counts");

    out->bound_count = json_array_size(bounds);
    if (out->bound_count == 0 || out->bound_count > TOP_BUCKETS_MOST || json_array_size(counts) != out->bound_count + 1)
        return false;
    for (size_t i = 0; i <= out->bound_count; i++) {
        const json_int_t now = json_integer_value(json_array_get(counts, i)),
                         then = json_integer_value(json_array_get(counts_before, i));
        if (now < then)
            return false;
        out->counts[i] = (uint64_t)(now - then);
    }
    for (size_t i = 0; i < out->bound_count; i++)
        out->bounds_us[i] = (uint64_t)json_integer_value(json_array_get(bounds, i));
    return true;
}

static void read_percentiles(const json_t *bounds, const json_t *before, const json_t *after, double *p50_us, double *p99_us)
{
    top_histogram_t histogram;
    const bool is_known = read_histogram(bounds, before, after, &histogram);

    *p50_us = is_known ? top_percentile(&histogram, 0.5) : NAN;
    *p99_us = is_known ? top_percentile(&histogram, 0.99) : NAN;
}

/* ---- the process ---- */

static void read_stages(const pair_t *pair, top_model_t *model)
{
    static const char *const stages[TOP_STAGES] = {"connect", "queue", "first_byte", "total"};
    const json_t *after = json_object_get(pair->after, "stages"), *before = json_object_get(pair->before, "stages");

    for (size_t i = 0; i < TOP_STAGES; i++)
        read_percentiles(json_object_get(after, "bounds_us"), json_object_get(before, stages[i]),
                         json_object_get(after, stages[i]), &model->p50_us[i], &model->p99_us[i]);
}

static void read_statuses(const pair_t *pair, top_model_t *model)
{
    const json_t *after = json_object_get(pair->after, "statuses"), *before = json_object_get(pair->before, "statuses");
    const double all = sum_of(before, after);

    model->share_4xx = ratio(growth(before, after, "4xx"), all);
    model->share_5xx = ratio(growth(before, after, "5xx"), all);
}

static void read_loops(const pair_t *pair, top_model_t *model)
{
    const json_t *loops = json_object_get(pair->after, "loops");

    for (size_t i = 0; i < json_array_size(loops) && i < TOP_LOOPS_MOST; i++)
        model->busy[model->loop_count++] = number_in(json_array_get(loops, i), "busy");
}

/* "12:04:31 checkout_service of router shop: 45ms on loop 2, request 3f2a…" */
static void read_slow(const pair_t *pair, top_model_t *model)
{
    const json_t *slow = json_object_get(pair->after, "slow");

    for (size_t i = 0; i < json_array_size(slow) && i < TOP_SLOW_MOST; i++) {
        const json_t *call = json_array_get(slow, i);
        const char *at = text_in(call, "at"), *clock = strchr(at, 'T'), *request = text_in(call, "request");
        char took[TOP_CELL_BYTES], line[2 * TOP_NAME_BYTES];
        top_write_us(number_in(call, "us"), took);
        snprintf(line, sizeof(line), "%.8s %s of %s %s: %s on loop %lld%s%s", clock == NULL ? at : clock + 1,
                 text_in(call, "callback"), text_in(call, "kind"), text_in(call, "name"), took,
                 (long long)count_in(call, "loop"), *request == '\0' ? "" : ", request ", request);
        top_clean(line, model->slow[model->slow_count++], TOP_NAME_BYTES);
    }
}

static void read_process(const pair_t *pair, top_model_t *model)
{
    const json_t *connections = json_object_get(pair->after, "connections");

    top_clean(text_in(pair->after, "version"), model->version, sizeof(model->version));
    top_clean(text_in(pair->after, "at"), model->at, sizeof(model->at));
    model->pid = json_integer_value(json_object_get(pair->after, "pid"));
    model->uptime_ms = count_in(pair->after, "uptime_ms");
    model->generation = count_in(pair->after, "generation");
    model->rate = ratio(growth(pair->before, pair->after, "requests_total"), pair->seconds);
    model->in_flight = number_in(pair->after, "requests_in_flight");
    model->waiting = number_in(pair->after, "waiting");
    model->clients = number_in(connections, "client");
    model->backends = number_in(connections, "backend");
    model->rss_bytes = number_in(json_object_get(pair->after, "memory"), "rss_bytes");
    read_statuses(pair, model);
    read_stages(pair, model);
    read_loops(pair, model);
    read_slow(pair, model);
}

/* ---- apps ---- */

static json_t *key_of(const char *router, const char *app, char *key, size_t bytes, const json_t *index)
{
    snprintf(key, bytes, "%s\n%s", router, app);
    return index == NULL ? NULL : json_object_get(index, key);
}

static json_t *index_of(const json_t *document)
{
    const json_t *routers = json_object_get(document, "routers");
    json_t *index = json_object();
    char key[2 * TOP_NAME_BYTES + 2];

    for (size_t i = 0; i < json_array_size(routers); i++) {
        const json_t *router = json_array_get(routers, i), *apps = json_object_get(router, "apps");
        for (size_t k = 0; k < json_array_size(apps); k++) {
            (void)key_of(text_in(router, "name"), text_in(json_array_get(apps, k), "app"), key, sizeof(key), NULL);
            json_object_set(index, key, json_array_get(apps, k));
        }
    }
    return index;
}

static void read_members(const json_t *members, top_app_t *app)
{
    static const char *const ill[] = {"trial", "starting", "check", "connect", "failing", "silent"};

    app->well = (unsigned)count_in(members, "up");
    app->draining = (unsigned)count_in(members, "draining");
    app->off = (unsigned)count_in(members, "off");
    for (size_t i = 0; i < sizeof(ill) / sizeof(ill[0]); i++)
        app->ill += (unsigned)count_in(members, ill[i]);
}

/* Of clients' answers, where these are counted by app; else of its backends'. */
static double error_share(const json_t *before, const json_t *after)
{
    const json_t *statuses = json_object_get(after, "statuses"), *then = json_object_get(before, "statuses");

    if (statuses != NULL)
        return ratio(growth(then, statuses, "5xx"), sum_of(then, statuses));
    return ratio(growth(before, after, "failures"), growth(before, after, "requests"));
}

static void read_app(const pair_t *pair, const char *router, const json_t *after, bool are_many, top_app_t *app)
{
    const char *course = text_in(after, "state");
    char key[2 * TOP_NAME_BYTES + 2], shown[2 * TOP_NAME_BYTES + 1];
    const json_t *before = key_of(router, text_in(after, "app"), key, sizeof(key), pair->apps_before);

    snprintf(app->router, sizeof(app->router), "%s", router);
    snprintf(app->name, sizeof(app->name), "%s", text_in(after, "app"));
    snprintf(shown, sizeof(shown), "%s%s%s", are_many ? app->router : "", are_many ? "/" : "", app->name);
    top_clean(shown, app->shown, sizeof(app->shown));
    app->course = strcmp(course, "paused") == 0 ? "paused" : strcmp(course, "stopped") == 0 ? "stopped" : NULL;
    app->in_flight = number_in(after, "in_flight");
    app->waiting = number_in(after, "waiting");
    app->head_us = number_in(after, "head_ms") > 0 ? number_in(after, "head_ms") * US_PER_MS : NAN;
    read_members(json_object_get(after, "members"), app);
    app->rate = before == NULL ? NAN : ratio(growth(before, after, "requests"), pair->seconds);
    if (isnan(app->rate)) /* it was not in the list before, or has begun anew */
        app->rate = number_in(after, "answers_10s") / KEPT_S;
    if (before == NULL && pair->before != NULL) {
        app->error_share = ratio(number_in(after, "failures_10s"), number_in(after, "answers_10s"));
        app->retry_rate = app->p50_us = app->p99_us = NAN;
        return;
    }
    app->error_share = error_share(before, after);
    app->retry_rate = ratio(growth(before, after, "retries"), pair->seconds);
    read_percentiles(json_object_get(pair->after, "app_bounds_us"), json_object_get(before, "duration"),
                     json_object_get(after, "duration"), &app->p50_us, &app->p99_us);
}

static void read_routers(const pair_t *pair, top_model_t *model)
{
    const json_t *routers = json_object_get(pair->after, "routers");
    const size_t count = json_array_size(routers);
    size_t app_count = 0;

    for (size_t i = 0; i < count; i++)
        app_count += json_array_size(json_object_get(json_array_get(routers, i), "apps"));
    model->apps = calloc(app_count + 1, sizeof(model->apps[0]));
    WEIR_MUST(model->apps != NULL);
    for (size_t i = 0; i < count; i++) {
        const json_t *router = json_array_get(routers, i), *apps = json_object_get(router, "apps");
        model->apps_total += count_in(router, "total");
        for (size_t k = 0; k < json_array_size(apps); k++)
            read_app(pair, text_in(router, "name"), json_array_get(apps, k), count > 1, &model->apps[model->app_count++]);
    }
}

/* ---- changes ---- */

/* Of all routers, the newest first. */
typedef struct newest {
    struct {
        const char *router;
        const json_t *change;
    } at[TOP_CHANGES_MOST];
    size_t count;
} newest_t;

static void insert_change(newest_t *newest, const char *router, const json_t *change)
{
    size_t at = newest->count;

    while (at > 0 && strcmp(text_in(newest->at[at - 1].change, "at"), text_in(change, "at")) < 0)
        at--;
    if (at == TOP_CHANGES_MOST)
        return;
    newest->count -= newest->count == TOP_CHANGES_MOST;
    memmove(&newest->at[at + 1], &newest->at[at], (newest->count - at) * sizeof(newest->at[0]));
    newest->at[at].router = router;
    newest->at[at].change = change;
    newest->count++;
}

/* Nobody called for what was to happen at its time. */
static void write_who(const json_t *who, char text[static TOP_NAME_BYTES])
{
    if (!json_is_object(who))
        snprintf(text, TOP_NAME_BYTES, "weir");
    else if (*text_in(who, "name") != '\0')
        snprintf(text, TOP_NAME_BYTES, "%.150s (%.63s)", text_in(who, "name"), text_in(who, "address"));
    else
        snprintf(text, TOP_NAME_BYTES, "uid %lld (pid %lld)", (long long)json_integer_value(json_object_get(who, "uid")),
                 (long long)json_integer_value(json_object_get(who, "pid")));
}

/* "12:04:31 uid 1000 (pid 77): patch /apps/shop/backends/one" */
static void write_change(const char *router, const json_t *change, char text[static TOP_NAME_BYTES])
{
    const char *at = text_in(change, "at"), *clock = strchr(at, 'T');
    char who[TOP_NAME_BYTES], line[2 * TOP_NAME_BYTES];

    write_who(json_object_get(change, "who"), who);
    snprintf(line, sizeof(line), "%.8s %s: %s %s%s", clock == NULL ? at : clock + 1, who, text_in(change, "op"), router,
             text_in(change, "path"));
    top_clean(line, text, TOP_NAME_BYTES);
}

static void read_changes(const pair_t *pair, top_model_t *model)
{
    const json_t *routers = json_object_get(pair->after, "routers");
    const size_t count = json_array_size(routers);
    newest_t newest = {.count = 0};

    for (size_t i = 0; i < count; i++) {
        const json_t *router = json_array_get(routers, i), *changes = json_object_get(router, "changes");
        for (size_t k = 0; k < json_array_size(changes); k++)
            insert_change(&newest, count > 1 ? text_in(router, "name") : "", json_array_get(changes, k));
    }
    for (size_t i = 0; i < newest.count; i++)
        write_change(newest.at[i].router, newest.at[i].change, model->changes[model->change_count++]);
}

/* ---- the model ---- */

/* Another process, or the same document. */
static bool are_comparable(const json_t *before, const json_t *after)
{
    return before != NULL && count_in(before, "pid") == count_in(after, "pid") &&
           count_in(before, "uptime_ms") < count_in(after, "uptime_ms");
}

top_model_t *top_model_make(const json_t *before, const json_t *after)
{
    const bool are = are_comparable(before, after);
    const uint64_t from_ms = are ? count_in(before, "uptime_ms") : 0;
    pair_t pair = {.before = are ? before : NULL, .after = after};
    top_model_t *model = calloc(1, sizeof(*model));

    WEIR_MUST(model != NULL);
    pair.seconds = (double)(count_in(after, "uptime_ms") - from_ms) / MS_PER_S;
    pair.apps_before = are ? index_of(before) : NULL;
    model->is_since_start = !are;
    read_process(&pair, model);
    read_routers(&pair, model);
    read_changes(&pair, model);
    json_decref(pair.apps_before);
    return model;
}

void top_model_free(top_model_t **model)
{
    if (*model != NULL)
        free((*model)->apps);
    free(*model);
    *model = NULL;
}

/* ---- order ---- */

/* What is not known comes last. */
static int compare(double one, double other)
{
    if (isnan(one) || isnan(other))
        return (isnan(one) != 0) - (isnan(other) != 0);
    return one > other ? -1 : one < other;
}

static int by_rest(const top_app_t *one, const top_app_t *other, int order)
{
    if (order == 0)
        order = compare(one->rate, other->rate);
    return order != 0 ? order : strcmp(one->shown, other->shown);
}

static int by_requests(const void *a, const void *b)
{
    return by_rest(a, b, 0);
}

static int by_errors(const void *a, const void *b)
{
    const top_app_t *one = a, *other = b;

    return by_rest(one, other, compare(one->error_share, other->error_share));
}

static int by_waiting(const void *a, const void *b)
{
    const top_app_t *one = a, *other = b;

    return by_rest(one, other, compare(one->waiting, other->waiting));
}

static double latency_of(const top_app_t *app)
{
    return isnan(app->p99_us) ? app->head_us : app->p99_us;
}

static int by_latency(const void *a, const void *b)
{
    const top_app_t *one = a, *other = b;

    return by_rest(one, other, compare(latency_of(one), latency_of(other)));
}

void top_model_sort(top_model_t *model, top_order_t order)
{
    static int (*const orders[])(const void *, const void *) = {by_requests, by_errors, by_waiting, by_latency};

    if (model->app_count > 0)
        qsort(model->apps, model->app_count, sizeof(model->apps[0]), orders[order]);
}
