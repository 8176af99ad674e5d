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

void handed_release(handed_t *handed)
{
    if (atomic_fetch_sub_explicit(&handed->holders, 1, memory_order_acq_rel) > 1)
        return;
    handed_block_free(&handed->to_far.head);
    handed_block_free(&handed->to_far.trailers);
    weir_bytes_free(&handed->to_far.body);
    for (handed_head_t *head = handed->to_near.heads, *next; head != NULL; head = next) {
        next = head->next;
        handed_block_free(&head->block);
        free(head);
    }
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
