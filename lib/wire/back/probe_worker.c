/* SPDX-License-Identifier: MIT */
/*
 * A probe of a worker: a stream on one of its connections, handed over to the loop of that (back_http2_handed.h).
 *
 *   steward: probe ─letter─► the connection's loop: agent ─ worker        question
 *   steward: probe ◄letter─ the connection's loop: agent ─ worker         head, body, trailers, end
 */
#include "lib/wire/back/probe.h"

#include "lib/base/fault.h"
#include "lib/wire/back/back_http2_handed_private.h"

enum { FINAL_STATUS_LEAST = 200 };

/* ---- what comes ---- */

static void hear_fields(weir_probing_t *probing, const back_http2_block_t *block)
{
    const char *text = weir_bytes_span(&block->text).base;

    for (size_t i = 0; i < block->count; i++) {
        const weir_span_t name = {text, block->at[i].name_len}, value = {text + name.len, block->at[i].value_len};
        probe_http2_hear(probing, name, value);
        text += name.len + value.len;
    }
}

static void hear_heads(weir_probing_t *probing, const handed_news_t *news)
{
    for (const handed_head_t *head = news->heads; head != NULL; head = head->next) {
        probing->result.status = head->block.status;
        hear_fields(probing, &head->block);
    }
}

/* The answer is complete: of HTTP its head, of gRPC all of it. */
static void conclude(weir_probing_t *probing, bool has_ended)
{
    weir_probe_result_t *result = &probing->result;
    const bool has_final = result->status >= FINAL_STATUS_LEAST;

    if (has_ended && !has_final)
        probe_finish(probing, &weir_fault_backend_http2_message);
    else if (has_ended && probing->kind == WEIR_PROBE_GRPC) {
        result->is_serving = result->grpc_status == 0 && probe_grpc_is_serving(weir_bytes_span(&probing->in));
        probe_finish(probing, NULL);
    } else if (has_final && probing->kind == WEIR_PROBE_HTTP)
        probe_finish(probing, NULL);
}

static void hear(weir_probing_t *probing, const handed_news_t *news)
{
    const weir_fault_t *lost = news->lost != NULL ? news->lost : &weir_fault_backend_stream_reset;
    const bool is_grpc = probing->kind == WEIR_PROBE_GRPC;

    probing->is_whole = news->has_ended;
    probing->was_heard = probing->was_heard || news->is_head_sent;
    hear_heads(probing, news);
    hear_fields(probing, &news->trailers);
    if (is_grpc)
        weir_bytes_append(&probing->in, weir_bytes_span(&news->body));
    if (weir_bytes_count(&probing->in) > PROBE_ANSWER_BYTES)
        probe_finish(probing, &weir_fault_backend_http2_message);
    else if (news->has_ended || (probing->result.status >= FINAL_STATUS_LEAST && !is_grpc))
        conclude(probing, news->has_ended);
    else if (news->is_lost && lost == &weir_fault_backend_stream_refused)
        probe_believe(probing); /* it is busy, not ill */
    else if (news->is_lost)
        probe_finish(probing, lost);
}

static void on_near(weir_letter_t *letter)
{
    handed_t *handed = WEIR_AROUND(letter, handed_t, to_near.letter);
    handed_news_t news = handed_take_news(handed);

    if (handed->probing != NULL)
        hear(handed->probing, &news);
    handed_news_free(&news);
    handed_release(handed);
}

/* ---- what is asked ---- */

static void ask(weir_probing_t *probing, weir_loop_t *far, weir_worker_t *worker)
{
    handed_t *handed = handed_create(probing->loop, far, worker, on_near);
    const bool is_grpc = probing->kind == WEIR_PROBE_GRPC;
    weir_header_t fields[PROBE_HTTP2_FIELDS];
    const weir_headers_t all = {.at = fields, .count = probe_http2_fields(probing, fields)};

    probing->handed = handed;
    handed->probing = probing;
    pthread_mutex_lock(&handed->lock);
    handed->to_far.has_body = is_grpc;
    handed->to_far.has_last = true;
    handed->to_far.limits = probe_limits;
    handed->to_far.trailer_bytes = WEIR_PROBE_HEAD_BYTES;
    if (is_grpc)
        probe_grpc_ask(probing, &handed->to_far.body);
    handed_begin(handed, &all);
    pthread_mutex_unlock(&handed->lock);
}

void probe_worker_begin(weir_probing_t *probing)
{
    const weir_target_t *target = &probing->wanted;
    weir_worker_t *worker = weir_worker_hold(weir_worker_number(&target->address.any, target->address_len));
    bool has_any = false;
    weir_loop_t *far = worker == NULL ? NULL : weir_worker_loop(worker, NULL, &has_any);

    if (!has_any)
        probe_finish(probing, &weir_fault_worker_gone);
    else if (probing->kind == WEIR_PROBE_CONNECT)
        probe_finish(probing, NULL);
    else if (far == NULL || worker->protocol != WEIR_HTTP2)
        probe_believe(probing); /* who takes nothing now, or one request at a time, is not asked for more */
    else
        ask(probing, far, worker);
    weir_worker_release(worker);
}

static bool was_asked(const weir_probing_t *probing)
{
    handed_t *handed = probing->handed;

    pthread_mutex_lock(&handed->lock);
    const bool is_in_the_box = handed->to_near.is_head_sent;
    pthread_mutex_unlock(&handed->lock);
    return probing->was_heard || is_in_the_box;
}

void probe_worker_expire(weir_probing_t *probing)
{
    if (was_asked(probing))
        probe_finish(probing, &weir_fault_backend_timeout);
    else
        probe_believe(probing); /* all its streams are taken: it is busy, not ill */
}

void probe_worker_end(weir_probing_t *probing)
{
    handed_t *handed = probing->handed;

    if (handed == NULL)
        return;
    probing->handed = NULL;
    handed->probing = NULL;
    pthread_mutex_lock(&handed->lock);
    handed->to_far.resets = !probing->is_whole;
    handed->to_far.is_released = true;
    handed_post_to_far(handed);
    pthread_mutex_unlock(&handed->lock);
    handed_release(handed);
}
