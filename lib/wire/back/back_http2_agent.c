/* SPDX-License-Identifier: MIT */
/* The far half of a stream that is handed over: on the loop of its connection. */
#include "lib/wire/back/back_http2_handed_private.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"

/* ---- its beginning ---- */

const weir_response_limits_t *back_http2_agent_limits(const back_http2_stream_t *agent)
{
    return &agent->handed->limits;
}

size_t back_http2_agent_trailer_bytes(const back_http2_stream_t *agent)
{
    return agent->handed->trailer_bytes;
}

/* The far half has nothing more to say: its hold goes. */
static void finish_far(handed_t *handed)
{
    if (handed->is_over)
        return;
    handed->is_over = true;
    handed_release(handed);
}

static void tell_lost(handed_t *handed, const weir_fault_t *fault, bool is_untouched)
{
    pthread_mutex_lock(&handed->lock);
    handed->to_near.is_lost = true;
    handed->to_near.is_untouched = is_untouched;
    handed->to_near.lost = fault;
    handed_post_to_near(handed);
    pthread_mutex_unlock(&handed->lock);
}

/* The fields of a block, for libnghttp2, which copies them. To be freed. */
static nghttp2_nv *nv_of(const back_http2_block_t *block)
{
    const char *text = weir_bytes_span(&block->text).base;
    nghttp2_nv *nv = malloc((block->count + 1) * sizeof(*nv));

    WEIR_MUST(nv != NULL);
    for (size_t i = 0; i < block->count; i++) {
        const weir_span_t name = {text, block->at[i].name_len}, value = {text + name.len, block->at[i].value_len};
        nv[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.base, (uint8_t *)(uintptr_t)value.base, name.len, value.len,
                             back_http2_is_secret(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
        text += name.len + value.len;
    }
    return nv;
}

static int32_t submit(handed_t *handed)
{
    const nghttp2_data_provider body = {{.ptr = handed->agent}, back_http2_stream_read};
    const bool has_body = handed->has_body || handed->is_connect;
    nghttp2_nv *nv = nv_of(&handed->head);
    const int32_t id = nghttp2_submit_request(handed->agent->http2->session, NULL, nv, handed->head.count,
                                              has_body ? &body : NULL, handed->agent);

    free(nv);
    handed_block_free(&handed->head);
    return id;
}

static void on_stream(back_http2_wait_t *wait, weir_back_t *back)
{
    handed_t *handed = WEIR_AROUND(wait, handed_t, wait);
    back_http2_stream_t *agent = WEIR_AROUND(back, back_http2_stream_t, back);

    agent->handed = handed;
    agent->is_agent = true;
    handed->agent = agent;
    handed_bytes_move(&agent->back.out, &handed->body);
    const int32_t id = submit(handed);
    if (id <= 0) {
        back_http2_retire(agent->http2);
        tell_lost(handed, &weir_fault_backend_goaway, true);
        back_http2_stream_destroy(agent); /* which ends the far half */
        return;
    }
    agent->id = id;
    back_http2_post_flush(agent->http2);
}

static void on_stream_fault(back_http2_wait_t *wait, const weir_fault_t *fault)
{
    handed_t *handed = WEIR_AROUND(wait, handed_t, wait);

    tell_lost(handed, fault, true);
    finish_far(handed);
}

static void begin(handed_t *handed)
{
    weir_target_t target = {.kind = WEIR_TARGET_WORKER, .protocol = WEIR_HTTP2};

    target.address_len = weir_worker_address(handed->worker->number, &target.address);
    handed->wait.is_handed = true;
    handed->wait.on_stream = on_stream;
    handed->wait.on_fault = on_stream_fault;
    back_http2_ask(handed->far, &target, BACK_HTTP2_SHARED, &handed->wait);
}

/* ---- what is said to it ---- */

typedef struct order {
    bool begins, has_body_news, resets, is_released;
    size_t credit;
} order_t;

/* Out of the box, and what belongs to the far half into that. */
static order_t take_order(handed_t *handed)
{
    back_http2_stream_t *agent = handed->agent;

    pthread_mutex_lock(&handed->lock);
    handed->to_far.is_posted = false;
    const order_t order = {
        .begins = handed->to_far.begins,
        .has_body_news = weir_bytes_count(&handed->to_far.body) > 0 || handed->to_far.has_last != handed->has_last,
        .resets = handed->to_far.resets,
        .is_released = handed->to_far.is_released,
        .credit = handed->to_far.credit,
    };
    if (order.begins) {
        handed->is_connect = handed->to_far.is_connect;
        handed->has_body = handed->to_far.has_body;
        handed->limits = handed->to_far.limits;
        handed->trailer_bytes = handed->to_far.trailer_bytes;
        handed_block_move(&handed->head, &handed->to_far.head);
    }
    handed_bytes_move(agent != NULL ? &agent->back.out : &handed->body, &handed->to_far.body);
    if (handed->to_far.trailers.count > 0)
        handed_block_move(&handed->trailers, &handed->to_far.trailers);
    handed->has_last = handed->to_far.has_last;
    handed->to_far.begins = handed->to_far.resets = false;
    handed->to_far.credit = 0;
    pthread_mutex_unlock(&handed->lock);
    return order;
}

static void credit(const handed_t *handed, size_t bytes)
{
    back_http2_stream_t *agent = handed->agent;

    if (bytes == 0 || agent == NULL || agent->http2 == NULL || agent->is_closed)
        return;
    (void)nghttp2_session_consume_stream(agent->http2->session, agent->id, bytes);
    back_http2_post_flush(agent->http2);
}

static void go_on_with_body(const handed_t *handed)
{
    const back_http2_stream_t *agent = handed->agent;

    if (agent == NULL || agent->http2 == NULL || agent->is_closed || agent->id == 0)
        return;
    (void)nghttp2_session_resume_data(agent->http2->session, agent->id);
    back_http2_post_flush(agent->http2);
}

/* Before it has a stream it never will have one; behind that, as any stream. */
static void let_go(handed_t *handed, bool resets)
{
    back_http2_stream_t *agent = handed->agent;

    if (agent == NULL) {
        back_http2_cancel(&handed->wait);
        finish_far(handed);
        return;
    }
    if (resets)
        (void)back_http2_stream_reset(agent);
    agent->is_released = true;
    if (agent->is_closed)
        back_http2_stream_destroy(agent);
}

void handed_on_far(weir_letter_t *letter)
{
    handed_t *handed = WEIR_AROUND(letter, handed_t, to_far.letter);
    const order_t order = take_order(handed);

    if (handed->is_over) {
        handed_release(handed);
        return;
    }
    if (order.begins && !order.is_released && !order.resets)
        begin(handed);
    if (!handed->is_over && order.has_body_news)
        go_on_with_body(handed);
    if (!handed->is_over)
        credit(handed, order.credit);
    if (!handed->is_over && (order.is_released || order.resets))
        let_go(handed, order.resets);
    handed_release(handed);
}

/* ---- what it says ---- */

void back_http2_agent_head(back_http2_stream_t *agent, back_http2_block_t *block, bool is_last)
{
    handed_t *handed = agent->handed;
    handed_head_t *head = calloc(1, sizeof(*head)), **at = &handed->to_near.heads;

    WEIR_MUST(head != NULL);
    handed_block_move(&head->block, block);
    head->is_last = is_last;
    pthread_mutex_lock(&handed->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = head;
    handed_post_to_near(handed);
    pthread_mutex_unlock(&handed->lock);
}

void back_http2_agent_trailers(back_http2_stream_t *agent, back_http2_block_t *block)
{
    handed_t *handed = agent->handed;

    pthread_mutex_lock(&handed->lock);
    handed_block_move(&handed->to_near.trailers, block);
    handed->to_near.has_trailers = true;
    handed_post_to_near(handed);
    pthread_mutex_unlock(&handed->lock);
}

void back_http2_agent_data(back_http2_stream_t *agent, weir_span_t bytes)
{
    handed_t *handed = agent->handed;

    pthread_mutex_lock(&handed->lock);
    if (!handed->to_far.is_released)
        weir_bytes_append(&handed->to_near.body, bytes);
    handed_post_to_near(handed);
    pthread_mutex_unlock(&handed->lock);
}

void back_http2_agent_finish(back_http2_stream_t *agent)
{
    handed_t *handed = agent->handed;

    pthread_mutex_lock(&handed->lock);
    handed->to_near.has_ended = true;
    handed_post_to_near(handed);
    pthread_mutex_unlock(&handed->lock);
}

void back_http2_agent_lost(back_http2_stream_t *agent, const weir_fault_t *fault)
{
    tell_lost(agent->handed, fault, agent->back.is_untouched);
    back_http2_stream_destroy(agent);
}

/* It travels with what comes next: nobody waits for it. */
void back_http2_agent_count(back_http2_stream_t *agent, const back_http2_count_t *count)
{
    handed_t *handed = agent->handed;

    pthread_mutex_lock(&handed->lock);
    handed->to_near.received += count->received;
    handed->to_near.sent += count->sent;
    handed->to_near.is_head_sent = handed->to_near.is_head_sent || count->is_head;
    handed->to_near.is_said = handed->to_near.is_said || count->is_end;
    pthread_mutex_unlock(&handed->lock);
}

static bool submit_trailers(back_http2_stream_t *agent)
{
    handed_t *handed = agent->handed;

    if (handed->trailers.count == 0)
        return false;
    nghttp2_nv *nv = nv_of(&handed->trailers);
    const int failed = nghttp2_submit_trailer(agent->http2->session, agent->id, nv, handed->trailers.count);
    free(nv);
    return failed == 0;
}

static void tell_taken(handed_t *handed, size_t bytes)
{
    if (bytes == 0)
        return;
    pthread_mutex_lock(&handed->lock);
    handed->to_near.taken += bytes;
    handed_post_to_near(handed);
    pthread_mutex_unlock(&handed->lock);
}

ssize_t back_http2_agent_read(back_http2_stream_t *agent, uint8_t *buffer, size_t length, uint32_t *flags)
{
    handed_t *handed = agent->handed;
    weir_span_t waiting = weir_bytes_span(&agent->back.out);
    const size_t taken = waiting.len < length ? waiting.len : length;

    if (agent->is_resetting || agent->is_unreset)
        return NGHTTP2_ERR_DEFERRED; /* half a body must not look whole */
    if (taken > 0 && waiting.base != NULL) {
        memcpy(buffer, waiting.base, taken);
        weir_bytes_consume(&agent->back.out, taken);
    }
    tell_taken(handed, taken);
    if (weir_bytes_count(&agent->back.out) == 0 && handed->has_last) {
        *flags = NGHTTP2_DATA_FLAG_EOF | (submit_trailers(agent) ? NGHTTP2_DATA_FLAG_NO_END_STREAM : 0);
        return (ssize_t)taken;
    }
    return taken > 0 ? (ssize_t)taken : NGHTTP2_ERR_DEFERRED;
}

void back_http2_agent_end(back_http2_stream_t *agent)
{
    handed_t *handed = agent->handed;

    agent->handed = NULL;
    handed->agent = NULL;
    finish_far(handed);
}
