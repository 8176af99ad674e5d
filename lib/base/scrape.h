/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_SCRAPE_H
#define WEIR_BASE_SCRAPE_H
/**
 * @file  One reading of all metrics: numbers are put into it, and it is written as text.
 *
 *   weir_scrape_create() ─► weir_scrape_threads(), _put(), _apps(), routers (weir_metric.h) ─► _write() ─► _destroy()
 *
 * THREAD   Any, one at a time; one that serves no request is best.
 */
#include <stdio.h>

#include "lib/base/exemplars.h"
#include "lib/base/metrics.h"
#include "weir_metric.h"

/** An empty one. Never NULL. */
weir_metric_sink_t *weir_scrape_create(void);

/** Frees and nulls it; harmless on NULL. */
void weir_scrape_destroy(weir_metric_sink_t **sink);

/** Has series of apps and of members told, too; else these are dropped. */
void weir_scrape_want(weir_metric_sink_t *sink, bool apps, bool members);

/** Puts what the threads have counted: weir_cells, weir_times, and weir_requests_total. */
void weir_scrape_threads(weir_metric_sink_t *sink);

/** The sum of a cell over all threads. */
uint64_t weir_scrape_cell(weir_cell_t cell);

/** What a histogram holds over all threads. */
typedef struct weir_times_sum {
    uint64_t counts[WEIR_BUCKETS]; /* each of its own bucket */
    uint64_t sum_us;
} weir_times_sum_t;
weir_times_sum_t weir_scrape_times(weir_times_id_t id);

/** Requests that have ended, by weir_status_class(), over all threads and reasons. */
void weir_scrape_statuses(uint64_t out[static WEIR_STATUS_CLASSES]);

/** app_counts.c: what is counted of one app over all threads. False: nothing, or not by this name. */
typedef struct weir_app_sum {
    uint64_t statuses[WEIR_STATUS_CLASSES];
    weir_times_sum_t total; /* with weir_bounds_apps */
} weir_app_sum_t;
bool weir_scrape_app(weir_span_t app, weir_app_sum_t *out);

/** app_counts.c: puts what is counted of apps; of at most `most` by name, the rest as "other". Before routers are asked. */
void weir_scrape_apps(weir_metric_sink_t *sink, size_t most);

/** Puts a value of one of ours, with at most two labels; a name NULL: there is none. Values of equal labels are added. */
void weir_scrape_put(weir_metric_sink_t *sink, weir_metric_id_t id, const char *label, const char *value, double number);

/** The same with any labels; they are not held against what is there: for series of which each comes once. */
void weir_scrape_new(weir_metric_sink_t *sink, weir_metric_id_t id, const weir_metric_label_t *labels, size_t label_count,
                     double number);

/** Puts a histogram; `counts` are bounds->count + 1, each of its own bucket. */
void weir_scrape_histogram(weir_metric_sink_t *sink, weir_metric_id_t id, const weir_metric_label_t *labels, size_t label_count,
                           const weir_bounds_t *bounds, const uint64_t *counts, uint64_t sum_us);

/** Adds an example to a histogram's bucket, which is there, by its bounds and number. OpenMetrics alone has room for it. */
void weir_scrape_exemplar(weir_metric_sink_t *sink, weir_metric_id_t id, const weir_metric_label_t *labels, size_t label_count,
                          const weir_bounds_t *bounds, size_t bucket, const weir_exemplar_t *exemplar);

/** As what it is written. */
typedef enum weir_metrics_format {
    WEIR_METRICS_TEXT,        /* Prometheus text 0.0.4 */
    WEIR_METRICS_OPENMETRICS, /* OpenMetrics 1.0       */
} weir_metrics_format_t;

/** The media type of a format. */
const char *weir_scrape_type(weir_metrics_format_t format);

/** The format that a client's Accept wants; empty: it has none. */
weir_metrics_format_t weir_scrape_format(weir_span_t accept);

/** Writes all of it. */
void weir_scrape_write(const weir_metric_sink_t *sink, FILE *out, weir_metrics_format_t format);

#endif
