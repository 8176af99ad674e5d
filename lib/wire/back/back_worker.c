/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_worker.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/wire/back/back_http2_private.h"

enum { CALM_MS = 1000, RESETS_LOOK_MS = 100, US_PER_S = 1000000 };

static atomic_bool sends_elsewhere;

void back_worker_send_elsewhere(bool is_always)
{
    atomic_store(&sends_elsewhere, is_always);
}

bool back_worker_is_elsewhere(void)
{
    return atomic_load_explicit(&sends_elsewhere, memory_order_relaxed);
}

/* ---- its end ---- */

static void on_drain_timeout(weir_timer_t *timer)
{
    back_http2_end(WEIR_AROUND(timer, back_worker_t, drain)->http2, &weir_fault_backend_goaway);
}

static void drain(back_worker_t *worker)
{
    if (weir_timer_is_set(&worker->drain))
        return;
    weir_timer_set(worker->http2->loop, &worker->drain, worker->settings.drain_timeout_ms, on_drain_timeout);
}

/* Our GOAWAY: it dials again at once, and finishes what it has. */
static void on_dismiss(weir_link_t *link, const char *why)
{
    back_worker_t *worker = WEIR_AROUND(link, back_worker_t, link);
    back_http2_t *http2 = worker->http2;

    worker->was_dismissed = true;
    (void)nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, (const uint8_t *)why, strlen(why));
    back_http2_retire(http2);
    back_worker_on_change(worker);
    drain(worker);
}

static void tell_end(const back_worker_t *worker, const weir_fault_t *fault)
{
    static weir_log_limit_t limit;
    const weir_worker_words_t *words = &worker->link.words;

    if (fault == NULL || fault == &weir_fault_backend_goaway || worker->was_dismissed)
        return;
    if (!worker->http2->is_ready)
        weir_log_limited(&limit, "worker %s of %s (%s): no SETTINGS came: did it drop the bytes behind the 101?", words->id,
                         words->app, words->peer);
    else
        weir_log_limited(&limit, "worker %s of %s (%s) is gone: %s%s", words->id, words->app, words->peer, fault->name,
                         worker->has_crashed ? ", behind a GOAWAY with an error" : "");
}

void back_worker_end(back_worker_t *worker, const weir_fault_t *fault)
{
    weir_loop_t *loop = worker->link.loop;

    tell_end(worker, fault);
    weir_timer_cancel(&worker->drain);
    weir_timer_cancel(&worker->resets);
    weir_timer_cancel(&worker->calm);
    weir_link_leave(&worker->link);
    weir_metrics_add(WEIR_CELL_workers_ended, 1);
    weir_loop_take_back(loop, &worker->link.letter);
    weir_worker_words_finish(&worker->link.words);
    free(worker);
}

/* ---- what it can take ---- */

uint32_t back_worker_capacity(const back_worker_t *worker)
{
    return worker->is_calm ? 0 : worker->granted;
}

void back_worker_on_change(back_worker_t *worker)
{
    const back_http2_t *http2 = worker->http2;
    const uint32_t theirs = nghttp2_session_get_remote_settings(http2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    const uint32_t ours = back_worker_capacity(worker);
    const bool takes_any = http2->is_ready && !http2->is_draining && !http2->is_leaving && http2->end_fault == NULL;

    if (worker->link.worker != NULL)
        atomic_store_explicit(&worker->link.worker->opens_websockets,
                              nghttp2_session_get_remote_settings(http2->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) ==
                                  1,
                              memory_order_relaxed);
    weir_link_can(&worker->link, !takes_any ? 0 : theirs < ours ? theirs : ours);
}

static void on_calm_end(weir_timer_t *timer)
{
    back_worker_t *worker = WEIR_AROUND(timer, back_worker_t, calm);

    worker->is_calm = false;
    back_worker_on_change(worker);
    back_http2_post_flush(worker->http2); /* who waits may have a stream now */
}

void back_worker_on_calm(back_worker_t *worker)
{
    worker->is_calm = true;
    weir_timer_set(worker->http2->loop, &worker->calm, CALM_MS, on_calm_end);
    back_worker_on_change(worker);
}

void back_worker_on_goaway(back_worker_t *worker, uint32_t error_code)
{
    worker->has_crashed = error_code != NGHTTP2_NO_ERROR;
    if (worker->has_crashed)
        weir_metrics_add(WEIR_CELL_worker_goaway_errors, 1);
    back_worker_on_change(worker);
    drain(worker);
}

/* ---- resets ---- */

/* A bucket of tokens, filled by and by. */
static void refill(back_worker_t *worker)
{
    const uint64_t now_us = weir_loop_now_us(worker->http2->loop);

    worker->resets_left += (double)(now_us - worker->resets_at_us) * worker->settings.resets_per_s / US_PER_S;
    if (worker->resets_left > worker->settings.reset_burst)
        worker->resets_left = worker->settings.reset_burst;
    worker->resets_at_us = now_us;
}

static void on_resets(weir_timer_t *timer)
{
    back_worker_t *worker = WEIR_AROUND(timer, back_worker_t, resets);
    back_http2_t *http2 = worker->http2;
    bool has_more = false;

    for (weir_list_t *node = http2->streams.next; node != &http2->streams && !has_more; node = node->next) {
        back_http2_stream_t *stream = WEIR_AROUND(node, back_http2_stream_t, link);
        if (!stream->is_unreset || stream->is_closed)
            continue;
        has_more = !back_http2_stream_reset(stream);
    }
    if (has_more)
        weir_timer_set(http2->loop, timer, RESETS_LOOK_MS, on_resets);
}

bool back_worker_may_reset(back_worker_t *worker)
{
    refill(worker);
    if (worker->resets_left >= 1) {
        worker->resets_left -= 1;
        return true;
    }
    if (!weir_timer_is_set(&worker->resets))
        weir_timer_set(worker->http2->loop, &worker->resets, RESETS_LOOK_MS, on_resets);
    return false;
}

/* ---- its beginning ---- */

/* What is known only now. */
void back_worker_end_head(weir_bytes_t *head, const weir_link_t *link)
{
    const weir_span_t pieces[] = {WEIR_SPAN("Worker-Session: "),
                                  {link->session, strlen(link->session)},
                                  WEIR_SPAN("\r\nWorker-Id: "),
                                  {link->words.id, strlen(link->words.id)},
                                  WEIR_SPAN("\r\n\r\n")};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
        weir_bytes_append(head, pieces[i]);
}

void back_worker_open(weir_loop_t *loop, weir_sock_t *sock, weir_worker_words_t *words, weir_bytes_t *head, uint32_t granted,
                      const back_worker_settings_t *settings)
{
    back_worker_t *worker = calloc(1, sizeof(*worker));

    WEIR_MUST(worker != NULL);
    const back_http2_manner_t manner = {.ping_ms = settings->ping_ms,
                                        .stream_window = settings->stream_window,
                                        .connection_window = settings->connection_window,
                                        .worker = worker,
                                        .before = head};
    worker->link.loop = loop;
    worker->link.words = *words;
    worker->link.dismiss = on_dismiss;
    worker->settings = *settings;
    worker->granted = granted;
    worker->resets_left = settings->reset_burst;
    worker->resets_at_us = weir_loop_now_us(loop);
    *words = (weir_worker_words_t){.app = ""};
    weir_workers_enter(&worker->link);
    back_worker_end_head(head, &worker->link);
    worker->http2 = back_http2_create(loop, sock, &manner);
    weir_bytes_free(head);
    weir_metrics_add(WEIR_CELL_workers_begun, 1);
    back_http2_join(worker->http2, worker->link.worker->number);
}
