/* SPDX-License-Identifier: MIT */
#include "lib/base/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"

/* ---- the table ---- */

#define METRIC(id_, type_, maker_, name_, labels_, help_, query_)                                                              \
    {name_, WEIR_METRIC_##type_, WEIR_METRIC_##maker_, labels_, help_, query_},
const weir_metric_t weir_metrics[WEIR_METRICS] = {
#include "lib/base/metric.def"
};

#define CELL(id_, metric_, label_, value_, sign_) {WEIR_METRIC_ID_##metric_, label_, value_, sign_},
const weir_cell_info_t weir_cells[WEIR_CELLS] = {
#include "lib/base/metric.def"
};

#define TIMES(id_, metric_, label_, value_) {WEIR_METRIC_ID_##metric_, label_, value_, 1},
const weir_cell_info_t weir_times[WEIR_TIMES] = {
#include "lib/base/metric.def"
};

const weir_bounds_t weir_bounds_stages = {
    16,
    {WEIR_FIRST_US, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
     30000000, 60000000},
};
const weir_bounds_t weir_bounds_callbacks = {7, {1, 10, 100, 1000, 10000, 100000, 1000000}};
const weir_bounds_t weir_bounds_apps = {8, {5000, 25000, 100000, 250000, 1000000, 2500000, 10000000, 60000000}};

const weir_bounds_t *weir_times_bounds(weir_times_id_t id)
{
    return weir_times[id].metric == WEIR_METRIC_ID_callback_duration ? &weir_bounds_callbacks : &weir_bounds_stages;
}

const char *weir_status_class_name(unsigned status_class)
{
    static const char *const names[WEIR_STATUS_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx", "499", "none"};

    return names[status_class];
}

/* ---- pages ---- */

static weir_metrics_page_t *_Atomic pages;
__thread weir_metrics_page_t *weir_metrics_mine;

weir_metrics_page_t *weir_metrics_open(void)
{
    const size_t bytes = (sizeof(weir_metrics_page_t) + WEIR_METRICS_LINE_BYTES - 1) & ~(size_t)(WEIR_METRICS_LINE_BYTES - 1);
    weir_metrics_page_t *page = aligned_alloc(WEIR_METRICS_LINE_BYTES, bytes);

    WEIR_MUST(page != NULL);
    memset(page, 0, bytes);
    page->next = atomic_load_explicit(&pages, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pages, &page->next, page, memory_order_release, memory_order_relaxed))
        continue;
    return weir_metrics_mine = page;
}

const weir_metrics_page_t *weir_metrics_pages(void)
{
    return atomic_load_explicit(&pages, memory_order_acquire);
}

/* ---- the configuration ---- */

static struct {
    atomic_bool is_good;
    _Atomic uint64_t taken_at_us, generation;
} config;

void weir_metrics_note_config(bool is_taken)
{
    atomic_store(&config.is_good, is_taken);
    if (!is_taken)
        return;
    atomic_store(&config.taken_at_us, weir_clock_wall_us());
    atomic_fetch_add(&config.generation, 1);
}

weir_metrics_config_t weir_metrics_config(void)
{
    return (weir_metrics_config_t){atomic_load(&config.is_good), atomic_load(&config.taken_at_us),
                                   atomic_load(&config.generation)};
}

/* ---- reasons ---- */

/* Names are never taken out, and are copies: a module's may be gone when the numbers are wanted. */
static const char *_Atomic reasons[WEIR_REASONS];
static _Atomic size_t reason_count;

enum { OTHER = WEIR_REASONS - 1 };

static size_t place_of(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (hash ^ hash >> 16) % OTHER;
}

/* Puts the name into a place that was empty. False: somebody else has taken it meanwhile, and it is to be looked at again. */
static bool take_place(size_t place, const char *name)
{
    const char *none = NULL;
    char *copy = strdup(name);

    WEIR_MUST(copy != NULL);
    if (atomic_compare_exchange_strong_explicit(&reasons[place], &none, copy, memory_order_acq_rel, memory_order_acquire)) {
        atomic_fetch_add_explicit(&reason_count, 1, memory_order_relaxed);
        return true;
    }
    free(copy);
    return false;
}

static size_t reason_of(const char *name)
{
    size_t place = place_of(name);

    for (;;) {
        const char *there = atomic_load_explicit(&reasons[place], memory_order_acquire);
        if (there != NULL && strcmp(there, name) == 0)
            return place;
        if (there != NULL)
            place = (place + 1) % OTHER;
        else if (atomic_load_explicit(&reason_count, memory_order_relaxed) >= WEIR_REASONS_NAMED)
            return OTHER;
        else if (take_place(place, name))
            return place;
    }
}

const char *weir_reason_name(size_t place)
{
    return place == OTHER ? "other" : atomic_load_explicit(&reasons[place], memory_order_acquire);
}

void weir_metrics_count_fault(weir_metrics_page_t *page, uint16_t status, const weir_fault_t *fault)
{
    weir_count_up(&page->faults[weir_status_class(status)][reason_of(fault->name)], 1);
}
