/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_http2_handed_private.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"

/* ---- blocks ---- */

void handed_block_free(back_http2_block_t *block)
{
    weir_bytes_free(&block->text);
    free(block->at);
    *block = (back_http2_block_t){.count = 0};
}

void handed_block_move(back_http2_block_t *to, back_http2_block_t *from)
{
    handed_block_free(to);
    *to = *from;
    *from = (back_http2_block_t){.count = 0};
}

/* Names are lower-case in HTTP/2. */
static void append_lower(weir_bytes_t *text, weir_span_t name)
{
    weir_lower_bytes(weir_bytes_reserve(text, name.len), name.base, name.len);
    weir_bytes_grow(text, name.len);
}

back_http2_block_t handed_block_of(const weir_headers_t *fields)
{
    back_http2_block_t block = {.count = fields->count, .capacity = fields->count};

    if (fields->count == 0)
        return block;
    block.at = malloc(fields->count * sizeof(*block.at));
    WEIR_MUST(block.at != NULL);
    for (size_t i = 0; i < fields->count; i++) {
        block.at[i].name_len = (uint32_t)fields->at[i].name.len;
        block.at[i].value_len = (uint32_t)fields->at[i].value.len;
        append_lower(&block.text, fields->at[i].name);
        weir_bytes_append(&block.text, fields->at[i].value);
    }
    return block;
}

void handed_bytes_move(weir_bytes_t *to, weir_bytes_t *from)
{
    if (weir_bytes_count(to) > 0) {
        weir_bytes_append(to, weir_bytes_span(from));
        weir_bytes_free(from);
        return;
    }
    weir_bytes_free(to);
    *to = *from;
    *from = (weir_bytes_t){0};
}

/* ---- what both share ---- */

handed_t *handed_create(weir_loop_t *near, weir_loop_t *far, weir_worker_t *worker, void (*on_near)(weir_letter_t *letter))
{
    handed_t *handed = calloc(1, sizeof(*handed));

    WEIR_MUST(handed != NULL && pthread_mutex_init(&handed->lock, NULL) == 0);
    atomic_init(&handed->holders, 1);
    handed->near = near;
    handed->far = far;
    handed->worker = worker;
    atomic_fetch_add_explicit(&worker->holders, 1, memory_order_relaxed);
    handed->to_far.letter.open = handed_on_far;
    handed->to_near.letter.open = on_near;
    weir_list_init(&handed->to_far.letter.link);
    weir_list_init(&handed->to_near.letter.link);
    return handed;
}

static void free_heads(handed_head_t *heads)
{
    for (handed_head_t *next; heads != NULL; heads = next) {
        next = heads->next;
        handed_block_free(&heads->block);
        free(heads);
    }
}

void handed_release(handed_t *handed)
{
    if (atomic_fetch_sub_explicit(&handed->holders, 1, memory_order_acq_rel) > 1)
        return;
    handed_block_free(&handed->to_far.head);
    handed_block_free(&handed->to_far.trailers);
    weir_bytes_free(&handed->to_far.body);
    free_heads(handed->to_near.heads);
    handed_block_free(&handed->to_near.trailers);
    weir_bytes_free(&handed->to_near.body);
    handed_block_free(&handed->head);
    handed_block_free(&handed->trailers);
    weir_bytes_free(&handed->body);
    weir_worker_release(handed->worker);
    pthread_mutex_destroy(&handed->lock);
    free(handed);
}

void handed_hold(handed_t *handed)
{
    atomic_fetch_add_explicit(&handed->holders, 1, memory_order_relaxed);
}

/* Under the lock. */
void handed_post_to_far(handed_t *handed)
{
    if (handed->to_far.is_posted || handed->to_near.is_lost)
        return;
    handed->to_far.is_posted = true;
    handed_hold(handed);
    weir_loop_post(handed->far, &handed->to_far.letter);
}

/* Likewise. A near half that is released hears nothing any more. */
void handed_post_to_near(handed_t *handed)
{
    if (handed->to_near.is_posted || handed->to_far.is_released)
        return;
    handed->to_near.is_posted = true;
    handed_hold(handed);
    weir_loop_post(handed->near, &handed->to_near.letter);
}

/* ---- what is in the boxes ---- */

void handed_begin(handed_t *handed, const weir_headers_t *fields)
{
    handed->to_far.begins = true;
    handed->to_far.head = handed_block_of(fields);
    handed_hold(handed); /* for the far half */
    handed_post_to_far(handed);
}

handed_news_t handed_take_news(handed_t *handed)
{
    pthread_mutex_lock(&handed->lock);
    handed->to_near.is_posted = false;
    const handed_news_t news = {
        .heads = handed->to_near.heads,
        .body = handed->to_near.body,
        .trailers = handed->to_near.trailers,
        .has_trailers = handed->to_near.has_trailers,
        .has_ended = handed->to_near.has_ended,
        .is_lost = handed->to_near.is_lost,
        .is_untouched = handed->to_near.is_untouched,
        .is_head_sent = handed->to_near.is_head_sent,
        .lost = handed->to_near.lost,
        .taken = handed->to_near.taken,
        .received = handed->to_near.received,
        .sent = handed->to_near.sent,
    };
    handed->is_said = handed->to_near.is_said;
    handed->to_near.heads = NULL;
    handed->to_near.body = (weir_bytes_t){0};
    handed->to_near.trailers = (back_http2_block_t){.count = 0};
    handed->to_near.has_trailers = handed->to_near.has_ended = handed->to_near.is_head_sent = false;
    handed->to_near.taken = handed->to_near.received = handed->to_near.sent = 0;
    pthread_mutex_unlock(&handed->lock);
    return news;
}

void handed_news_free(handed_news_t *news)
{
    free_heads(news->heads);
    weir_bytes_free(&news->body);
    handed_block_free(&news->trailers);
}
