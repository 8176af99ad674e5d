/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_METRICS_H
#define WEIR_BASE_METRICS_H
/**
 * @file  What the proxy counts of itself: the table of metrics (metric.def), and the cells that each thread counts in.
 *
 * A thread has a page of cells, which it alone writes, by plain additions: no line of it is shared on the way of a request. A
 * page outlives its thread and every configuration, so that sums never shrink. Whoever wants the numbers adds the pages up
 * (scrape.h), on any thread, at any time: each cell is exact, and all of them are of almost the same instant.
 *
 * THREAD   Counting: the page's. The rest: any.
 */
#include <stdatomic.h>

#include "weir_types.h"

enum {
    WEIR_FIRST_US = 500,      /* the lowest bound of a stage's bucket: most of them are below */
    WEIR_BUCKETS = 17,        /* of a histogram; the last is for what is longer than every bound */
    WEIR_STATUS_CLASSES = 8,  /* weir_status_class() */
    WEIR_REASONS = 512,       /* places for names of reasons */
    WEIR_REASONS_NAMED = 384, /* of which so many are used; what comes then is called "other" */
    WEIR_METRICS_LINE_BYTES = 64,
};

typedef enum weir_metric_type { WEIR_METRIC_COUNTER, WEIR_METRIC_GAUGE, WEIR_METRIC_HISTOGRAM } weir_metric_type_t;
typedef enum weir_metric_maker { WEIR_METRIC_PROXY, WEIR_METRIC_KIT } weir_metric_maker_t;

typedef enum weir_metric_id {
#define METRIC(id_, type_, maker_, name_, labels_, help_, query_) WEIR_METRIC_ID_##id_,
#include "lib/base/metric.def"
    WEIR_METRICS
} weir_metric_id_t;

typedef enum weir_cell {
#define CELL(id_, metric_, label_, value_, sign_) WEIR_CELL_##id_,
#include "lib/base/metric.def"
    WEIR_CELLS
} weir_cell_t;

typedef enum weir_times_id {
#define TIMES(id_, metric_, label_, value_) WEIR_TIMES_##id_,
#include "lib/base/metric.def"
    WEIR_TIMES
} weir_times_id_t;

typedef struct weir_metric {
    const char *name;
    weir_metric_type_t type;
    weir_metric_maker_t maker;
    const char *labels; /* with ", " between them; "": none */
    const char *help, *query;
} weir_metric_t;

/** All of them, in their order. */
extern const weir_metric_t weir_metrics[WEIR_METRICS];

/** What a cell, or a histogram, is of; label NULL: the metric has none. */
typedef struct weir_cell_info {
    weir_metric_id_t metric;
    const char *label, *value;
    int sign;
} weir_cell_info_t;

extern const weir_cell_info_t weir_cells[WEIR_CELLS];
extern const weir_cell_info_t weir_times[WEIR_TIMES];

/** Upper bounds in ascending order, each part of its bucket. */
typedef struct weir_bounds {
    size_t count; /* WEIR_BUCKETS - 1 at most */
    uint64_t us[WEIR_BUCKETS - 1];
} weir_bounds_t;

extern const weir_bounds_t weir_bounds_stages, weir_bounds_callbacks, weir_bounds_apps;

/** Those of a histogram. */
const weir_bounds_t *weir_times_bounds(weir_times_id_t id);

typedef struct weir_histogram {
    _Atomic uint64_t buckets[WEIR_BUCKETS];
    _Atomic uint64_t sum_us;
} weir_histogram_t;

typedef struct weir_metrics_page {
    struct weir_metrics_page *next;
    struct weir_app_table *_Atomic apps;      /* app_counts.c's; NULL: none is counted yet */
    struct weir_exemplars *_Atomic exemplars; /* exemplars.c's; NULL: none is noted yet */
    _Atomic uint64_t cells[WEIR_CELLS];
    weir_histogram_t times[WEIR_TIMES];
    _Atomic uint64_t well[WEIR_STATUS_CLASSES];                 /* requests without a fault */
    _Atomic uint64_t faults[WEIR_STATUS_CLASSES][WEIR_REASONS]; /* the others, by their reason */
} weir_metrics_page_t;

extern __thread weir_metrics_page_t *weir_metrics_mine;

/** Opens this thread's page. */
weir_metrics_page_t *weir_metrics_open(void);

/** The newest of all pages; NULL: none has been opened. */
const weir_metrics_page_t *weir_metrics_pages(void);

/** This thread's page. */
static inline weir_metrics_page_t *weir_metrics_page(void)
{
    return weir_metrics_mine != NULL ? weir_metrics_mine : weir_metrics_open();
}

/** Adds to a count that only this thread writes. */
static inline void weir_count_up(_Atomic uint64_t *count, uint64_t by)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void weir_metrics_add(weir_cell_t cell, uint64_t by)
{
    weir_count_up(&weir_metrics_page()->cells[cell], by);
}

/** Where a duration belongs among these bounds: the first that is no less. */
static inline size_t weir_bucket_of(const weir_bounds_t *bounds, uint64_t us)
{
    size_t at = 0;

    while (at < bounds->count && us > bounds->us[at])
        at++;
    return at;
}

static inline void weir_histogram_add(weir_histogram_t *histogram, const weir_bounds_t *bounds, uint64_t us)
{
    weir_count_up(&histogram->buckets[weir_bucket_of(bounds, us)], 1);
    weir_count_up(&histogram->sum_us, us);
}

/** 0: nothing was answered; 1 to 5: 1xx to 5xx; 6: 499. Others count as nothing answered. */
static inline unsigned weir_status_class(uint16_t status)
{
    if (status == 499)
        return 6;
    return status >= 100 && status < 600 ? status / 100u : 0;
}

/** "none", "1xx", …, "5xx", "499". */
const char *weir_status_class_name(unsigned status_class);

/** Counts a request that has ended for this reason. */
void weir_metrics_count_fault(weir_metrics_page_t *page, uint16_t status, const weir_fault_t *fault);

/** Counts a request that has ended; fault NULL: well. Its name is kept, it may be a module's. */
static inline void weir_metrics_count_request(weir_metrics_page_t *page, uint16_t status, const weir_fault_t *fault)
{
    if (fault == NULL)
        weir_count_up(&page->well[weir_status_class(status)], 1);
    else
        weir_metrics_count_fault(page, status, fault);
}

/** Counts how long a stage took. */
static inline void weir_metrics_count_stage(weir_metrics_page_t *page, weir_times_id_t id, uint64_t us)
{
    weir_histogram_t *histogram = &page->times[id];

    if (us > WEIR_FIRST_US) {
        weir_histogram_add(histogram, &weir_bounds_stages, us);
        return;
    }
    weir_count_up(&histogram->buckets[0], 1);
    if (us > 0)
        weir_count_up(&histogram->sum_us, us);
}

/** How it stands with the configuration. */
typedef struct weir_metrics_config {
    bool is_good;         /* the last one that was read has been taken   */
    uint64_t taken_at_us; /* the last one that was; wall clock           */
    uint64_t generation;  /* how many were                               */
} weir_metrics_config_t;

/** One has been read, and was taken or not. One thread at a time. */
void weir_metrics_note_config(bool is_taken);
weir_metrics_config_t weir_metrics_config(void);

/** The name of the reason at this place; NULL: none. The last place is that of "other". */
const char *weir_reason_name(size_t place);

#endif
