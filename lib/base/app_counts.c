/* SPDX-License-Identifier: MIT */
#include "lib/base/app_counts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/base/scrape.h"

enum { BUCKETS = 4096 };

/* Entries are put in front and never taken out, so that others may read while the thread adds. */
struct weir_app_table {
    weir_app_counts_t *_Atomic buckets[BUCKETS];
    size_t count;
    weir_app_counts_t rest; /* without a name: of those that came too late */
};

static uint32_t hash_of(weir_span_t app)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < app.len; i++)
        hash = (hash ^ (unsigned char)app.base[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static struct weir_app_table *table_of(weir_metrics_page_t *page)
{
    struct weir_app_table *table = atomic_load_explicit(&page->apps, memory_order_relaxed);

    if (table != NULL)
        return table;
    table = calloc(1, sizeof(*table));
    WEIR_MUST(table != NULL);
    atomic_store_explicit(&page->apps, table, memory_order_release);
    return table;
}

static weir_app_counts_t *add_entry(struct weir_app_table *table, weir_span_t app, uint32_t hash)
{
    weir_app_counts_t *_Atomic *bucket = &table->buckets[hash % BUCKETS];
    weir_app_counts_t *counts;

    if (table->count == WEIR_APPS_COUNTED)
        return &table->rest;
    counts = calloc(1, sizeof(*counts) + app.len);
    WEIR_MUST(counts != NULL);
    counts->hash = hash;
    counts->name_bytes = (uint32_t)app.len;
    counts->name = (char *)(counts + 1);
    memcpy(counts->name, app.base, app.len);
    atomic_store_explicit(&counts->next, atomic_load_explicit(bucket, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(bucket, counts, memory_order_release);
    table->count++;
    return counts;
}

static bool is_entry_of(const weir_app_counts_t *counts, weir_span_t app, uint32_t hash)
{
    return counts->hash == hash && counts->name_bytes == app.len && memcmp(counts->name, app.base, app.len) == 0;
}

static weir_app_counts_t *find(struct weir_app_table *table, weir_span_t app)
{
    const uint32_t hash = hash_of(app);
    weir_app_counts_t *counts = atomic_load_explicit(&table->buckets[hash % BUCKETS], memory_order_relaxed);

    for (; counts != NULL; counts = atomic_load_explicit(&counts->next, memory_order_relaxed))
        if (is_entry_of(counts, app, hash))
            return counts;
    return add_entry(table, app, hash);
}

weir_app_counts_t *weir_app_counts_begin(weir_metrics_page_t *page, weir_span_t app)
{
    struct weir_app_table *table = table_of(page);
    weir_app_counts_t *counts = app.len == 0 ? &table->rest : find(table, app);

    weir_count_up(&counts->begun, 1);
    return counts;
}

void weir_app_counts_end(weir_app_counts_t *counts, uint16_t status, uint64_t total_us)
{
    weir_count_up(&counts->ended, 1);
    weir_count_up(&counts->requests[weir_status_class(status)], 1);
    if (total_us != UINT64_MAX)
        weir_histogram_add(&counts->total, &weir_bounds_apps, total_us);
}

/* ---- one app, all threads together ---- */

static void add_counts(weir_app_sum_t *sum, const weir_app_counts_t *counts)
{
    for (size_t i = 0; i < WEIR_STATUS_CLASSES; i++)
        sum->statuses[i] += atomic_load_explicit(&counts->requests[i], memory_order_relaxed);
    for (size_t i = 0; i < WEIR_BUCKETS; i++)
        sum->total.counts[i] += atomic_load_explicit(&counts->total.buckets[i], memory_order_relaxed);
    sum->total.sum_us += atomic_load_explicit(&counts->total.sum_us, memory_order_relaxed);
}

bool weir_scrape_app(weir_span_t app, weir_app_sum_t *out)
{
    const uint32_t hash = hash_of(app);
    bool is_found = false;

    *out = (weir_app_sum_t){.total = {.sum_us = 0}};
    for (const weir_metrics_page_t *page = weir_metrics_pages(); page != NULL; page = page->next) {
        const struct weir_app_table *table = atomic_load_explicit(&page->apps, memory_order_acquire);
        if (table == NULL)
            continue;
        const weir_app_counts_t *counts = atomic_load_explicit(&table->buckets[hash % BUCKETS], memory_order_acquire);
        while (counts != NULL && !is_entry_of(counts, app, hash))
            counts = atomic_load_explicit(&counts->next, memory_order_relaxed);
        if (counts == NULL)
            continue;
        add_counts(out, counts);
        is_found = true;
    }
    return is_found;
}

/* ---- all threads together ---- */

/* An app's numbers, of one thread at first, then of all. */
typedef struct app_sum {
    weir_span_t name; /* the entry's */
    bool is_shown;
    uint64_t requests, begun, ended, by_status[WEIR_STATUS_CLASSES];
    uint64_t buckets[WEIR_BUCKETS], sum_us;
} app_sum_t;

typedef struct sums {
    app_sum_t *at;
    size_t count, capacity;
} sums_t;

/*
 * Who is told of by name stays so until the process ends: a series that went over to "other" and came back would look as if
 * its process had begun anew. Written and read by one reading at a time: weir_scrape_apps() has a lock.
 */
static struct {
    pthread_mutex_t lock;
    weir_span_t *names; /* copies */
    size_t count;
} shown = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add_sum(app_sum_t *sum, const app_sum_t *more)
{
    sum->requests += more->requests;
    sum->begun += more->begun;
    sum->ended += more->ended;
    sum->sum_us += more->sum_us;
    for (size_t i = 0; i < WEIR_STATUS_CLASSES; i++)
        sum->by_status[i] += more->by_status[i];
    for (size_t i = 0; i < WEIR_BUCKETS; i++)
        sum->buckets[i] += more->buckets[i];
}

static app_sum_t read_entry(const weir_app_counts_t *counts)
{
    app_sum_t sum = {.name = {counts->name, counts->name_bytes}};

    for (size_t i = 0; i < WEIR_STATUS_CLASSES; i++) {
        sum.by_status[i] = atomic_load_explicit(&counts->requests[i], memory_order_relaxed);
        sum.requests += sum.by_status[i];
    }
    for (size_t i = 0; i < WEIR_BUCKETS; i++)
        sum.buckets[i] = atomic_load_explicit(&counts->total.buckets[i], memory_order_relaxed);
    sum.sum_us = atomic_load_explicit(&counts->total.sum_us, memory_order_relaxed);
    sum.ended = atomic_load_explicit(&counts->ended, memory_order_relaxed);
    sum.begun = atomic_load_explicit(&counts->begun, memory_order_relaxed);
    return sum;
}

static void append(sums_t *sums, app_sum_t sum)
{
    if (sums->count == sums->capacity) {
        sums->capacity = sums->capacity * 2 + 64;
        sums->at = realloc(sums->at, sums->capacity * sizeof(sums->at[0]));
        WEIR_MUST(sums->at != NULL);
    }
    sums->at[sums->count++] = sum;
}

static int by_name(const void *a, const void *b)
{
    const weir_span_t one = ((const app_sum_t *)a)->name, other = ((const app_sum_t *)b)->name;
    const int order = memcmp(one.base, other.base, one.len < other.len ? one.len : other.len);

    return order != 0 ? order : (one.len > other.len) - (one.len < other.len);
}

static int by_requests(const void *a, const void *b)
{
    const app_sum_t *one = a, *other = b;

    if (one->is_shown != other->is_shown)
        return one->is_shown ? -1 : 1;
    if (one->requests != other->requests)
        return one->requests > other->requests ? -1 : 1;
    return by_name(a, b);
}

static void join_equal(sums_t *sums)
{
    size_t kept = 0;

    if (sums->count == 0)
        return;
    qsort(sums->at, sums->count, sizeof(sums->at[0]), by_name);
    for (size_t i = 1; i < sums->count; i++) {
        if (by_name(&sums->at[kept], &sums->at[i]) == 0)
            add_sum(&sums->at[kept], &sums->at[i]);
        else
            sums->at[++kept] = sums->at[i];
    }
    sums->count = kept + 1;
}

/* What has no name goes straight to `rest`. */
static sums_t collect(app_sum_t *rest)
{
    sums_t sums = {NULL, 0, 0};

    for (const weir_metrics_page_t *page = weir_metrics_pages(); page != NULL; page = page->next) {
        const struct weir_app_table *table = atomic_load_explicit(&page->apps, memory_order_acquire);
        if (table == NULL)
            continue;
        const app_sum_t unnamed = read_entry(&table->rest);
        add_sum(rest, &unnamed);
        for (size_t i = 0; i < BUCKETS; i++) {
            const weir_app_counts_t *counts = atomic_load_explicit(&table->buckets[i], memory_order_acquire);
            for (; counts != NULL; counts = atomic_load_explicit(&counts->next, memory_order_relaxed))
                append(&sums, read_entry(counts));
        }
    }
    join_equal(&sums);
    return sums;
}

/* ---- who is told of by name ---- */

static void mark_shown(sums_t *sums)
{
    for (size_t i = 0; i < shown.count; i++) {
        const app_sum_t key = {.name = shown.names[i]};
        app_sum_t *sum = bsearch(&key, sums->at, sums->count, sizeof(key), by_name);
        if (sum != NULL)
            sum->is_shown = true;
    }
}

static void show(app_sum_t *sum)
{
    char *copy = malloc(sum->name.len + 1);

    shown.names = realloc(shown.names, (shown.count + 1) * sizeof(shown.names[0]));
    WEIR_MUST(copy != NULL && shown.names != NULL);
    memcpy(copy, sum->name.base, sum->name.len);
    shown.names[shown.count++] = (weir_span_t){copy, sum->name.len};
    sum->is_shown = true;
}

/* Those that have a name already first, then by requests; as many as there is room for. */
static void choose(sums_t *sums, size_t most)
{
    if (sums->count == 0)
        return;
    mark_shown(sums);
    qsort(sums->at, sums->count, sizeof(sums->at[0]), by_requests);
    for (size_t i = 0; i < sums->count && shown.count < most; i++)
        if (!sums->at[i].is_shown)
            show(&sums->at[i]);
}

const weir_span_t weir_app_counts_other = {"other", 5};

weir_span_t weir_app_counts_name(weir_span_t app)
{
    weir_span_t name = weir_app_counts_other;

    pthread_mutex_lock(&shown.lock);
    for (size_t i = 0; i < shown.count && name.base == weir_app_counts_other.base; i++)
        if (shown.names[i].len == app.len && memcmp(shown.names[i].base, app.base, app.len) == 0)
            name = shown.names[i];
    pthread_mutex_unlock(&shown.lock);
    return name;
}

static void put(weir_metric_sink_t *sink, const app_sum_t *sum, weir_span_t name)
{
    weir_metric_label_t labels[] = {{"app", name}, {"status", {NULL, 0}}};

    for (unsigned i = 0; i < WEIR_STATUS_CLASSES; i++) {
        const char *status = weir_status_class_name(i);
        labels[1].value = (weir_span_t){status, strlen(status)};
        if (sum->by_status[i] > 0)
            weir_scrape_new(sink, WEIR_METRIC_ID_app_requests, labels, 2, (double)sum->by_status[i]);
    }
    weir_scrape_new(sink, WEIR_METRIC_ID_app_in_flight, labels, 1,
                    sum->begun > sum->ended ? (double)(sum->begun - sum->ended) : 0);
    weir_scrape_histogram(sink, WEIR_METRIC_ID_app_duration, labels, 1, &weir_bounds_apps, sum->buckets, sum->sum_us);
}

void weir_scrape_apps(weir_metric_sink_t *sink, size_t most)
{
    const weir_span_t other = weir_app_counts_other;
    app_sum_t rest = {.requests = 0};
    sums_t sums;

    pthread_mutex_lock(&shown.lock);
    sums = collect(&rest);
    choose(&sums, most);
    pthread_mutex_unlock(&shown.lock);
    for (size_t i = 0; i < sums.count; i++) {
        const bool is_other = by_name(&sums.at[i], &(app_sum_t){.name = other}) == 0;
        if (sums.at[i].is_shown && !is_other)
            put(sink, &sums.at[i], sums.at[i].name);
        else
            add_sum(&rest, &sums.at[i]);
    }
    if (rest.begun > 0)
        put(sink, &rest, other);
    free(sums.at);
}
