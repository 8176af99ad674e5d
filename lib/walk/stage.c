/* SPDX-License-Identifier: MIT */
/*
 * What stages of users may do: speak a verdict, which is looked at before it is followed, answer by themselves, and have
 * themselves called from elsewhere.
 */
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/thread.h"
#include "lib/http/hop.h"
#include "lib/walk/at_work.h"
#include "lib/walk/front.h"
#include "lib/walk/pipeline.h"
#include "lib/walk/response.h"

enum { STATUS_LEAST = 200, STATUS_MOST = 599 };

void weir_stage_complain(const weir_exchange_t *x, const char *mistake)
{
    static weir_log_limit_t limit;
    const weir_stage_t *stage = weir_pipeline_current(x);

    weir_log_limited(&limit, "stage %s (%u) %s; request %.*s", stage->name, stage->number, mistake, (int)x->request.id.len,
                     x->request.id.base != NULL ? x->request.id.base : "");
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
static bool is_awaited(const post_t *post)
{
    const weir_walk_t *walk = &post->x->walk;

    if (walk->owes && post->turn >= walk->owing_turn)
        return true; /* behind it there are only stages of the house, which post nothing */
    return walk->is_waiting && weir_pipeline_may_decide(post->x) &&
           post->turn == atomic_load_explicit(&walk->turn, memory_order_relaxed);
}

static void run_posted(const post_t *post)
{
    const weir_walk_t *walk = &post->x->walk;
    const weir_stage_t *stage = post->x->plan->stages[walk->owes ? walk->owing : walk->at];
    const weir_before_t before = weir_at_work_on(post->x, "stage", stage->name, "a posted function");

    post->run(post->x, post->arg);
    weir_at_work_regain(post->x, before);
}

static void on_post(weir_letter_t *letter)
{
    post_t post = *WEIR_AROUND(letter, post_t, letter);

    free(WEIR_AROUND(letter, post_t, letter));
    if (is_awaited(&post))
        run_posted(&post);
    atomic_fetch_sub_explicit(&post.x->walk.posts, 1, memory_order_acq_rel);
    (void)weir_pipeline_close(post.x);
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

/* ---- verdicts ---- */

static weir_verdict_t wrong(weir_exchange_t *x, const char *mistake)
{
    weir_stage_complain(x, mistake);
    return weir_walk_refuse(x, &weir_fault_stage_bad_verdict);
}

static void refuse_strange(weir_exchange_t *x, void *unused)
{
    if (x->walk.owes)
        weir_pipeline_settle(x);
    else
        (void)wrong(x, "spoke a verdict on another thread");
}

/* The first one was not followed yet: nobody can say which of the two is meant. */
static void overrule_first(weir_exchange_t *x)
{
    weir_stage_complain(x, "spoke two verdicts");
    if (!x->has_responded && !x->walk.is_replying)
        weir_pipeline_overrule(x, &weir_fault_stage_bad_verdict);
}

/* Whether this verdict counts. If it does not, all is done that is to be done about it. */
static bool is_heard(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;

    if (walk->home != weir_thread()) {
        weir_exchange_post(x, refuse_strange, NULL);
        return false;
    }
    if (walk->owes) {
        weir_pipeline_settle(x);
        return false;
    }
    if (walk->is_over || weir_pipeline_is_built_in(x)) {
        static weir_log_limit_t limit;
        weir_log_limited(&limit, "a stage spoke a second verdict, which is ignored; request %.*s", (int)x->request.id.len,
                         x->request.id.base);
        return false;
    }
    if (!weir_pipeline_may_decide(x)) {
        overrule_first(x);
        return false;
    }
    return true;
}

weir_verdict_t weir_next(weir_exchange_t *x)
{
    return is_heard(x) ? weir_walk_next(x) : weir_walk_wait(x);
}

weir_verdict_t weir_back(weir_exchange_t *x, uint8_t number)
{
    if (!is_heard(x))
        return weir_walk_wait(x);
    if (!weir_pipeline_can_go_back(x, number))
        return wrong(x, "wanted to go back to where the walk has not been");
    return weir_walk_back(x, number);
}

weir_verdict_t weir_refuse(weir_exchange_t *x, const weir_fault_t *fault)
{
    if (!is_heard(x))
        return weir_walk_wait(x);
    if (fault == NULL || fault->name == NULL || fault->name[0] == '\0')
        return wrong(x, "refused without a named fault");
    return weir_walk_refuse(x, fault);
}

weir_verdict_t weir_done(weir_exchange_t *x)
{
    return is_heard(x) ? weir_walk_done(x) : weir_walk_wait(x);
}

weir_verdict_t weir_wait(weir_exchange_t *x)
{
    return weir_walk_wait(x);
}

/* ---- an answer of its own ---- */

void weir_reply_header(weir_exchange_t *x, weir_span_t name, weir_span_t value)
{
    if (!weir_hop_may_set(name, value))
        return;
    weir_headers_add(&x->reply_headers, &x->arena, weir_arena_copy(&x->arena, name), weir_arena_copy(&x->arena, value));
}

static void on_sent(weir_exchange_t *x)
{
    x->walk.is_replying = false;
    (void)weir_walk_done(x);
}

weir_verdict_t weir_reply(weir_exchange_t *x, uint16_t status, weir_span_t body)
{
    weir_reply_head_t head = {.status = status, .headers = &x->reply_headers, .content_length = UINT64_MAX};

    if (!is_heard(x))
        return weir_walk_wait(x);
    if (x->has_responded)
        return wrong(x, "replied where a response had begun");
    if (status < STATUS_LEAST || status > STATUS_MOST)
        return wrong(x, "replied with a status that is none");
    x->walk.is_replying = true;
    weir_response_tell_id(x, &x->reply_headers);
    weir_timer_cancel(&x->walk.timer);
    weir_front_reply(x, &head, body, on_sent);
    return weir_walk_wait(x);
}

/* ---- what it may ask ---- */

void *weir_stage_memory(const weir_exchange_t *x)
{
    return x->walk.memory[x->walk.at];
}

weir_stage_shared_t *weir_stage_shared(const weir_exchange_t *x)
{
    return x->plan->stages_shared == NULL ? NULL : x->plan->stages_shared[x->walk.at];
}

const weir_fault_t *weir_exchange_fault(const weir_exchange_t *x)
{
    return x->fault;
}
