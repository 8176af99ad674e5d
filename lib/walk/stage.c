/* SPDX-License-Identifier: MIT */
/* What a stage of the user's may do beside its verdict: answer by itself, and have itself called from elsewhere. */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/http/hop.h"
#include "lib/walk/destroy.h"
#include "lib/walk/front.h"
#include "lib/walk/pipeline.h"

enum { STATUS_LEAST = 200, STATUS_MOST = 599 };

static bool may_decide(const weir_exchange_t *x)
{
    const weir_walk_t *walk = &x->walk;

    return walk->decision == WEIR_UNDECIDED && !walk->is_replying && (walk->is_running || walk->is_waiting);
}

void weir_reply_header(weir_exchange_t *x, weir_span_t name, weir_span_t value)
{
    if (!weir_hop_may_set(name, value))
        return;
    weir_headers_add(&x->reply_headers, &x->arena, weir_arena_copy(&x->arena, name), weir_arena_copy(&x->arena, value));
}

static void on_sent(weir_exchange_t *x)
{
    x->walk.is_replying = false;
    weir_done(x);
}

weir_verdict_t weir_reply(weir_exchange_t *x, uint16_t status, weir_span_t body)
{
    weir_reply_head_t head = {.status = status, .headers = &x->reply_headers, .content_length = UINT64_MAX};

    WEIR_MUST(may_decide(x) && !x->has_responded && x->plan->stages[x->walk.at]->number < WEIR_STAGE_REFUSE);
    if (status < STATUS_LEAST || status > STATUS_MOST)
        return weir_refuse(x, &weir_fault_router_bad_answer);
    x->walk.is_replying = true;
    weir_front_reply(x, &head, body, on_sent);
    return weir_wait(x);
}

const weir_fault_t *weir_exchange_fault(const weir_exchange_t *x)
{
    return x->fault;
}

/* ---- letters ---- */

typedef struct post {
    weir_letter_t letter;
    weir_exchange_t *x;
    void (*run)(weir_exchange_t *x, void *arg);
    void *arg;
    uint32_t turn; /* of the stage that waited for it */
} post_t;

/* Whoever posted may have been cancelled meanwhile, and the walk be somewhere else or at its end. */
static void on_post(weir_letter_t *letter)
{
    post_t post = *WEIR_AROUND(letter, post_t, letter);
    weir_walk_t *walk = &post.x->walk;
    uint32_t left;

    free(WEIR_AROUND(letter, post_t, letter));
    left = atomic_fetch_sub_explicit(&walk->posts, 1, memory_order_acq_rel) - 1;
    if (walk->is_over) {
        if (left == 0)
            weir_exchange_destroy(post.x);
        return;
    }
    if (walk->is_waiting && may_decide(post.x) && post.turn == atomic_load_explicit(&walk->turn, memory_order_relaxed))
        post.run(post.x, post.arg);
}

void weir_exchange_post(weir_exchange_t *x, void (*run)(weir_exchange_t *x, void *arg), void *arg)
{
    post_t *post = malloc(sizeof(*post));

    WEIR_MUST(post != NULL);
    *post = (post_t){.x = x, .run = run, .arg = arg, .letter = {.open = on_post}};
    post->turn = atomic_load_explicit(&x->walk.turn, memory_order_relaxed);
    weir_list_init(&post->letter.link);
    atomic_fetch_add_explicit(&x->walk.posts, 1, memory_order_relaxed);
    weir_loop_post(x->loop, &post->letter);
}
