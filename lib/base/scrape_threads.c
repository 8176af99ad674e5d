/* SPDX-License-Identifier: MIT */
/* What the threads have counted, added up. */
#include <string.h>

#include "lib/base/scrape.h"

uint64_t weir_scrape_cell(weir_cell_t cell)
{
    uint64_t sum = 0;

    for (const weir_metrics_page_t *page = weir_metrics_pages(); page != NULL; page = page->next)
        sum += atomic_load_explicit(&page->cells[cell], memory_order_relaxed);
    return sum;
}

/* A gauge is the difference of two sums that are read one after the other: it may be a little off, but not below nothing. */
static void put_cells(weir_metric_sink_t *sink)
{
    for (size_t i = 0; i < WEIR_CELLS; i++) {
        const weir_cell_info_t *info = &weir_cells[i];
        double number = (double)weir_scrape_cell((weir_cell_t)i);
        if (i + 1 < WEIR_CELLS && weir_cells[i + 1].sign < 0) {
            number -= (double)weir_scrape_cell((weir_cell_t)(i + 1));
            i++;
        }
        weir_scrape_put(sink, info->metric, info->label, info->value, number > 0 ? number : 0);
    }
}

weir_times_sum_t weir_scrape_times(weir_times_id_t id)
{
    weir_times_sum_t sum = {{0}, 0};

    for (const weir_metrics_page_t *page = weir_metrics_pages(); page != NULL; page = page->next) {
        for (size_t i = 0; i < WEIR_BUCKETS; i++)
            sum.counts[i] += atomic_load_explicit(&page->times[id].buckets[i], memory_order_relaxed);
        sum.sum_us += atomic_load_explicit(&page->times[id].sum_us, memory_order_relaxed);
    }
    return sum;
}

static void put_times(weir_metric_sink_t *sink, weir_times_id_t id)
{
    const weir_cell_info_t *info = &weir_times[id];
    const weir_metric_label_t label = {info->label, {info->value, info->value == NULL ? 0 : strlen(info->value)}};
    const weir_times_sum_t sum = weir_scrape_times(id);

    weir_scrape_histogram(sink, info->metric, &label, info->label != NULL, weir_times_bounds(id), sum.counts, sum.sum_us);
}

static void put_exemplars(weir_metric_sink_t *sink)
{
    const weir_cell_info_t *info = &weir_times[WEIR_TIMES_total];
    const weir_metric_label_t label = {info->label, {info->value, strlen(info->value)}};
    weir_exemplar_t exemplar;

    for (size_t i = 0; i <= weir_bounds_stages.count; i++)
        if (weir_exemplar_newest(i, &exemplar))
            weir_scrape_exemplar(sink, info->metric, &label, 1, &weir_bounds_stages, i, &exemplar);
}

/* ---- requests ---- */

static void put_requests(weir_metric_sink_t *sink, unsigned status_class, const char *reason, uint64_t number)
{
    const char *status = weir_status_class_name(status_class);
    const weir_metric_label_t labels[] = {{"status", {status, strlen(status)}}, {"reason", {reason, strlen(reason)}}};

    weir_scrape_new(sink, WEIR_METRIC_ID_requests, labels, 2, (double)number);
}

static uint64_t well(unsigned status_class)
{
    uint64_t sum = 0;

    for (const weir_metrics_page_t *page = weir_metrics_pages(); page != NULL; page = page->next)
        sum += atomic_load_explicit(&page->well[status_class], memory_order_relaxed);
    return sum;
}

static uint64_t failed(unsigned status_class, size_t place)
{
    uint64_t sum = 0;

    for (const weir_metrics_page_t *page = weir_metrics_pages(); page != NULL; page = page->next)
        sum += atomic_load_explicit(&page->faults[status_class][place], memory_order_relaxed);
    return sum;
}

/* Statuses that requests usually have are there from the beginning: whoever asks for a rate needs a nothing to begin with. */
static void put_all_requests(weir_metric_sink_t *sink)
{
    for (unsigned i = 0; i < WEIR_STATUS_CLASSES; i++) {
        const uint64_t number = well(i);
        if (number > 0 || (i >= 2 && i <= 5))
            put_requests(sink, i, "", number);
    }
    for (size_t place = 0; place < WEIR_REASONS; place++) {
        if (weir_reason_name(place) == NULL)
            continue;
        for (unsigned i = 0; i < WEIR_STATUS_CLASSES; i++) {
            const uint64_t number = failed(i, place);
            if (number > 0)
                put_requests(sink, i, weir_reason_name(place), number);
        }
    }
}

void weir_scrape_statuses(uint64_t out[static WEIR_STATUS_CLASSES])
{
    for (unsigned i = 0; i < WEIR_STATUS_CLASSES; i++)
        out[i] = well(i);
    for (size_t place = 0; place < WEIR_REASONS; place++)
        for (unsigned i = 0; weir_reason_name(place) != NULL && i < WEIR_STATUS_CLASSES; i++)
            out[i] += failed(i, place);
}

/* What is open and not idle. */
static void put_busy(weir_metric_sink_t *sink)
{
    const uint64_t less = weir_scrape_cell(WEIR_CELL_backend_closed) + weir_scrape_cell(WEIR_CELL_idle_begun);
    const uint64_t more = weir_scrape_cell(WEIR_CELL_backend_opened) + weir_scrape_cell(WEIR_CELL_idle_ended);

    weir_scrape_put(sink, WEIR_METRIC_ID_pool, "state", "busy", more > less ? (double)(more - less) : 0);
}

void weir_scrape_threads(weir_metric_sink_t *sink)
{
    put_cells(sink);
    put_busy(sink);
    for (size_t i = 0; i < WEIR_TIMES; i++)
        put_times(sink, (weir_times_id_t)i);
    put_exemplars(sink);
    put_all_requests(sink);
}
