/* SPDX-License-Identifier: MIT */
/* The near half of a stream that is handed over: on the loop of its exchange. */
#include "lib/wire/back/back_http2_handed_private.h"

#include <stdlib.h>

#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/wire/loop/generation.h"

static void on_near(weir_letter_t *letter);

weir_back_t *back_http2_hand_over(weir_loop_t *near, weir_loop_t *far, weir_worker_t *worker)
{
    handed_t *handed = handed_create(near, far, worker, on_near);
    back_http2_stream_t *twin = calloc(1, sizeof(*twin));

    WEIR_MUST(twin != NULL);
    handed->twin = twin;
    twin->back.ops = &back_http2_ops;
    twin->back.loop = near;
    twin->back.is_reused = true;
    twin->handed = handed;
    weir_list_init(&twin->link);
    weir_list_init(&twin->emptied);
    weir_list_init(&twin->headed);
    weir_metrics_add(WEIR_CELL_worker_handed, 1);
    return &twin->back;
}

void back_http2_twin_start(back_http2_stream_t *twin, const weir_headers_t *fields, bool is_connect, bool has_body)
{
    handed_t *handed = twin->handed;
    const relay_t *relay = twin->back.relay;

    handed->has_begun = true;
    pthread_mutex_lock(&handed->lock);
    handed->to_far.is_connect = is_connect;
    handed->to_far.has_body = has_body;
    handed->to_far.limits = relay->x->plan->response_limits;
    handed->to_far.trailer_bytes = relay->x->context->settings->max_trailer_bytes;
    handed_begin(handed, fields);
    pthread_mutex_unlock(&handed->lock);
}

void back_http2_twin_push(back_http2_stream_t *twin, bool is_last, const weir_headers_t *trailers)
{
    handed_t *handed = twin->handed;

    twin->back.lent_bytes += weir_bytes_count(&twin->back.out);
    pthread_mutex_lock(&handed->lock);
    handed_bytes_move(&handed->to_far.body, &twin->back.out);
    handed->to_far.has_last = handed->to_far.has_last || is_last;
    if (is_last && trailers->count > 0) {
        handed_block_free(&handed->to_far.trailers);
        handed->to_far.trailers = handed_block_of(trailers);
    }
    if (handed->has_begun)
        handed_post_to_far(handed);
    pthread_mutex_unlock(&handed->lock);
}

void back_http2_twin_credit(back_http2_stream_t *twin, size_t bytes)
{
    handed_t *handed = twin->handed;

    pthread_mutex_lock(&handed->lock);
    handed->to_far.credit += bytes;
    handed_post_to_far(handed);
    pthread_mutex_unlock(&handed->lock);
}

void back_http2_twin_reset(back_http2_stream_t *twin)
{
    handed_t *handed = twin->handed;

    if (!handed->has_begun || twin->is_resetting)
        return;
    twin->is_resetting = true;
    pthread_mutex_lock(&handed->lock);
    handed->to_far.resets = true;
    handed_post_to_far(handed);
    pthread_mutex_unlock(&handed->lock);
}

bool back_http2_twin_is_said(const back_http2_stream_t *twin)
{
    return twin->handed->is_said;
}

bool back_http2_twin_opens_websockets(const back_http2_stream_t *twin)
{
    return atomic_load_explicit(&twin->handed->worker->opens_websockets, memory_order_relaxed);
}

void back_http2_twin_release(back_http2_stream_t *twin)
{
    handed_t *handed = twin->handed;

    handed->twin = NULL;
    pthread_mutex_lock(&handed->lock);
    handed->to_far.is_released = true;
    if (handed->has_begun)
        handed_post_to_far(handed);
    pthread_mutex_unlock(&handed->lock);
    weir_bytes_free(&twin->back.in);
    weir_bytes_free(&twin->back.out);
    free(twin);
    handed_release(handed);
}

/* Whose relay is still under way. */
static relay_t *relay_of(const handed_t *handed)
{
    relay_t *relay = handed->twin == NULL ? NULL : handed->twin->back.relay;

    return relay == NULL || relay->is_over ? NULL : relay;
}

/* The far half knows nothing of the message's length. */
static const weir_fault_t *fault_here(const handed_t *handed, const weir_fault_t *fault)
{
    const relay_t *relay = relay_of(handed);
    const bool has_length = relay != NULL && relay->down.framing.kind == WEIR_FRAMING_LENGTH;

    return fault == &weir_fault_backend_http2_message && has_length ? &weir_fault_backend_content_length : fault;
}

static void note_counts(relay_t *relay, const handed_news_t *news)
{
    weir_journal_t *journal = &relay->x->journal;

    journal->backend_received_bytes += news->received;
    journal->backend_sent_bytes += news->sent;
    if (news->received > 0)
        journal->last_byte_at_us = weir_loop_now_us(relay->x->loop);
    if (news->is_head_sent)
        journal->head_sent_at_us = weir_loop_now_us(relay->x->loop);
}

static void pass_heads(const handed_t *handed, const handed_news_t *news)
{
    for (handed_head_t *head = news->heads; head != NULL && relay_of(handed) != NULL; head = head->next)
        back_http2_stream_take_head(handed->twin, &head->block, head->is_last);
}

/* In the order in which it came. Anything may end the relay, and with it the twin. */
static void pass_news(handed_t *handed, handed_news_t *news)
{
    relay_t *relay = relay_of(handed);

    if (relay != NULL)
        note_counts(relay, news);
    if (handed->twin != NULL)
        handed->twin->back.lent_bytes -= news->taken;
    if (relay != NULL && news->taken > 0)
        back_http2_stream_sent_more(handed->twin);
    pass_heads(handed, news);
    if (relay_of(handed) != NULL && weir_bytes_count(&news->body) > 0)
        back_http2_stream_data(handed->twin, weir_bytes_span(&news->body));
    else if (handed->twin != NULL && relay_of(handed) != NULL && relay_of(handed)->down.state == RELAY_BODY)
        back_http2_stream_head(handed->twin);
    if (news->has_trailers && relay_of(handed) != NULL)
        back_http2_stream_take_trailers(handed->twin, &news->trailers);
    if (news->has_ended && relay_of(handed) != NULL)
        back_http2_stream_finish(handed->twin);
    if (!news->is_lost || handed->twin == NULL)
        return;
    handed->twin->is_closed = true;
    handed->twin->back.is_untouched = news->is_untouched;
    back_http2_stream_lost(handed->twin, fault_here(handed, news->lost));
}

static void on_near(weir_letter_t *letter)
{
    handed_t *handed = WEIR_AROUND(letter, handed_t, to_near.letter);
    handed_news_t news = handed_take_news(handed);

    pass_news(handed, &news);
    handed_news_free(&news);
    handed_release(handed);
}
