/* SPDX-License-Identifier: MIT */
#include "handlers/request_counts.h"

#include <string.h>

#include "lib/base/app_counts.h"
#include "lib/base/exemplars.h"
#include "lib/walk/trace.h"

static void count(weir_metrics_page_t *page, weir_times_id_t id, uint64_t us)
{
    weir_metrics_count_stage(page, id, us);
}

/* Nothing if one of them has not happened; what came at once, or before, took no time. */
static void count_between(weir_metrics_page_t *page, weir_times_id_t id, uint64_t from_us, uint64_t to_us)
{
    if (from_us != 0 && to_us != 0)
        count(page, id, to_us < from_us ? 0 : to_us - from_us);
}

static void count_durations(weir_metrics_page_t *page, const weir_exchange_t *x)
{
    const weir_journal_t *journal = &x->journal;
    const bool is_new = x->was_connected && !x->attempt.was_reused && journal->connected_at_us >= journal->connect_start_at_us;

    if (x->looked_up_at_us != 0)
        count(page, WEIR_TIMES_lookup, x->looked_up_at_us - journal->start_at_us);
    if (journal->checkout_at_us != 0)
        count(page, WEIR_TIMES_queue, journal->queue_us);
    if (is_new)
        count(page, WEIR_TIMES_connect, journal->connected_at_us - journal->connect_start_at_us);
    count_between(page, WEIR_TIMES_first_byte,
                  journal->request_sent_at_us != 0 ? journal->request_sent_at_us : journal->head_sent_at_us,
                  x->attempt.head_at_us);
    if (!x->is_tunnel) {
        count_between(page, WEIR_TIMES_transfer, journal->first_byte_at_us, journal->last_byte_at_us);
        count(page, WEIR_TIMES_total, journal->end_at_us - journal->start_at_us);
    }
}

/* A request that is recorded is an example of how long requests take. */
static void note_exemplar(weir_metrics_page_t *page, weir_exchange_t *x)
{
    const weir_journal_t *journal = &x->journal;
    const uint64_t total_us = journal->end_at_us - journal->start_at_us;
    weir_exemplar_t exemplar;

    if (x->is_tunnel || !weir_trace_context_is_sampled(&weir_trace_of(x)->context))
        return;
    exemplar.us = total_us;
    exemplar.wall_us = journal->wall_start_us + total_us;
    memcpy(exemplar.trace_id, weir_trace_id(x).base, sizeof(exemplar.trace_id));
    weir_exemplar_note(page, &exemplar);
}

static void count_bytes(weir_metrics_page_t *page, const weir_journal_t *journal)
{
    weir_count_up(&page->cells[WEIR_CELL_received_client], journal->client_received_bytes);
    weir_count_up(&page->cells[WEIR_CELL_received_backend], journal->backend_received_bytes);
    weir_count_up(&page->cells[WEIR_CELL_sent_client], journal->client_sent_bytes);
    weir_count_up(&page->cells[WEIR_CELL_sent_backend], journal->backend_sent_bytes);
}

void request_count(weir_exchange_t *x)
{
    weir_metrics_page_t *page = weir_metrics_page();

    if (x->is_counted)
        return;
    x->is_counted = true;
    weir_metrics_count_request(page, x->journal.status, x->fault);
    count_durations(page, x);
    count_bytes(page, &x->journal);
    if (x->plan->has_trace)
        note_exemplar(page, x);
    if (x->is_tunnel)
        weir_count_up(&page->cells[WEIR_CELL_tunnels_ended], 1);
    if (x->app_counts != NULL)
        weir_app_counts_end(x->app_counts, x->journal.status,
                            x->is_tunnel ? UINT64_MAX : x->journal.end_at_us - x->journal.start_at_us);
}
