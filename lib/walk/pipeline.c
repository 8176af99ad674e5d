/* SPDX-License-Identifier: MIT */
/*
 *            enter ──► decided? ──no──► wait ◄─┐ verdict ──► letter ──► run
 *              ▲          │ yes                ├── client gone: cancel, DONE
 *              │          ▼                    └── time is up: cancel, or the verdict is owed; REFUSE
 *   next, back └─────── follow ──► 75 (refuse), 80 (done, client gone) ──► … ──► leave all, destroy
 */
#include "lib/walk/pipeline.h"

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/walk/at_work.h"
#include "lib/walk/destroy.h"
#include "lib/walk/front.h"

enum {
    SEAL = 0x77a1,
    BACKS_MOST = 1000, /* stages that send each other back for ever must not keep a request, nor its loop */
};

const weir_stage_t *weir_pipeline_current(const weir_exchange_t *x)
{
    return x->plan->stages[x->walk.at];
}

bool weir_pipeline_is_built_in(const weir_exchange_t *x)
{
    return (x->plan->built_in >> x->walk.at & 1) != 0;
}

/* From the stage `i` on: numbers only ascend. */
static size_t index_from(const weir_exchange_t *x, unsigned number, size_t i)
{
    while (i < x->plan->stage_count && x->plan->stages[i]->number < number)
        i++;
    return i;
}

/* ---- entering and leaving ---- */

/* Stages of the house keep no time. */
static void come_back(const weir_exchange_t *x, size_t index, weir_before_t before)
{
    if ((x->plan->built_in >> index & 1) != 0)
        weir_at_work_back(before);
    else
        weir_at_work_regain(x, before);
}

/* Leaves, newest first, every stage entered at or after `floor`. */
static void unwind(weir_exchange_t *x, size_t floor)
{
    weir_walk_t *walk = &x->walk;

    while (walk->depth > 0 && walk->entered[walk->depth - 1] >= floor) {
        size_t index = walk->entered[--walk->depth];
        const weir_stage_t *stage = x->plan->stages[index];
        weir_before_t before;

        if (stage->leave == NULL)
            continue;
        before = weir_at_work_on(x, "stage", stage->name, "leave");
        stage->leave(x, walk->memory[index]);
        come_back(x, index, before);
    }
}

/* Letters that were posted before are for nobody any more. Only the exchange's thread writes. */
static void begin_turn(weir_walk_t *walk)
{
    atomic_store_explicit(&walk->turn, atomic_load_explicit(&walk->turn, memory_order_relaxed) + 1, memory_order_relaxed);
}

static void enter_current(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;
    const weir_stage_t *stage = weir_pipeline_current(x);
    weir_before_t before;
    weir_verdict_t verdict;

    /* Once per exchange: a stage that is entered again finds what it left there. */
    if (stage->memory_size != 0 && walk->memory[walk->at] == NULL)
        walk->memory[walk->at] = weir_arena_zalloc(&x->arena, stage->memory_size);
    WEIR_MUST(walk->depth < sizeof(walk->entered));
    walk->entered[walk->depth++] = (uint8_t)walk->at;
#ifdef WEIR_CHECK_INVARIANTS
    walk->passed_begin += stage->number == WEIR_STAGE_BEGIN;
    walk->passed_end += stage->number == WEIR_STAGE_END;
#endif
    begin_turn(walk);
    x->reply_headers.count = 0; /* another stage's, which then did not reply */

    walk->decision = WEIR_UNDECIDED;
    before = weir_at_work_on(x, "stage", stage->name, "enter");
    verdict = stage->enter(x, walk->memory[walk->at]);
    come_back(x, walk->at, before);
    if (verdict.seal_ == SEAL || walk->decision != WEIR_UNDECIDED || walk->is_replying)
        return;
    WEIR_MUST(!weir_pipeline_is_built_in(x));
    weir_stage_complain(x, "returned without a verdict");
    weir_pipeline_overrule(x, &weir_fault_stage_bad_verdict);
}

/* ---- the time of a stage that waits ---- */

static weir_verdict_t decide(weir_exchange_t *x, weir_decision_t decision);

static void cancel_current(weir_exchange_t *x)
{
    const weir_stage_t *stage = weir_pipeline_current(x);
    weir_before_t before = weir_at_work_on(x, "stage", stage->name, "cancel");

    stage->cancel(x, x->walk.memory[x->walk.at]);
    come_back(x, x->walk.at, before);
}

/* Nobody waits for it any more. What cannot be cancelled owes its verdict, and is not left before. */
static void on_due(weir_timer_t *timer)
{
    weir_exchange_t *x = WEIR_AROUND(timer, weir_exchange_t, walk.timer);
    weir_walk_t *walk = &x->walk;

    if (!weir_pipeline_may_decide(x))
        return; /* it has spoken: the letter is on its way */
    weir_stage_complain(x, "did not decide in time");
    if (weir_pipeline_current(x)->cancel != NULL) {
        cancel_current(x);
    } else {
        walk->owes = true;
        walk->owing = walk->at;
        walk->owing_turn = atomic_load_explicit(&walk->turn, memory_order_relaxed);
    }
    (void)weir_walk_refuse(x, &weir_fault_stage_timeout);
}

static void begin_wait(weir_exchange_t *x)
{
    if (!weir_pipeline_is_built_in(x) && !x->walk.is_replying && x->plan->stage_timeout_ms != 0)
        weir_timer_set(x->loop, &x->walk.timer, x->plan->stage_timeout_ms, on_due);
}

/* ---- the walk ---- */

static void follow(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;

    /* Whatever the stage decided: nobody is there to be served. What was picked is checked in by 80. */
    if (x->is_client_gone && weir_pipeline_current(x)->number < WEIR_STAGE_REFUSE) {
        walk->at = index_from(x, WEIR_STAGE_CHECKIN, walk->at);
        return;
    }
    switch (walk->decision) {
    case WEIR_DECIDED_NEXT:
        walk->at++;
        return;
    case WEIR_DECIDED_BACK:
        unwind(x, walk->back_to);
        walk->at = walk->back_to;
        return;
    case WEIR_DECIDED_REFUSE:
        x->refusal_headers = x->reply_headers;
        x->reply_headers = (weir_headers_t){NULL, 0, 0};
        walk->at = index_from(x, WEIR_STAGE_REFUSE, walk->at);
        return;
    case WEIR_DECIDED_DONE:
        walk->at = index_from(x, WEIR_STAGE_CHECKIN, walk->at);
        return;
    case WEIR_UNDECIDED:
        break;
    }
    WEIR_MUST(walk->decision != WEIR_UNDECIDED); /* nobody decided, so nobody may resume */
}

/* Behind the last stage. What is still under way keeps the exchange: letters, a verdict that is owed. */
static void end_walk(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;

    unwind(x, walk->owes ? walk->owing + 1 : 0);
    weir_front_finish(x);
    walk->is_over = true;
    (void)weir_pipeline_close(x);
}

bool weir_pipeline_close(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;

    if (!walk->is_over || walk->owes || walk->is_posted || atomic_load_explicit(&walk->posts, memory_order_acquire) != 0)
        return false;
    unwind(x, 0);
    weir_exchange_destroy(x);
    return true;
}

void weir_pipeline_run(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;

    WEIR_MUST(!walk->is_running && !walk->is_posted);
    weir_timer_cancel(&walk->timer);
    walk->is_running = true;
    while (walk->at < x->plan->stage_count) {
        if (!walk->is_waiting)
            enter_current(x);
        walk->is_waiting = walk->decision == WEIR_UNDECIDED;
        if (walk->is_waiting)
            break; /* someone holds x and will decide */
        follow(x);
    }
    walk->is_running = false;
    if (walk->at < x->plan->stage_count)
        begin_wait(x);
    else
        end_walk(x);
}

static void on_resume(weir_letter_t *letter)
{
    weir_exchange_t *x = WEIR_AROUND(letter, weir_exchange_t, walk.resume);

    x->walk.is_posted = false;
    if (x->walk.is_over)
        (void)weir_pipeline_close(x); /* the verdict that was owed has come */
    else
        weir_pipeline_run(x);
}

static void post_resume(weir_exchange_t *x)
{
    x->walk.is_posted = true;
    x->walk.resume.open = on_resume;
    weir_loop_post(x->loop, &x->walk.resume);
}

/* ---- decisions ---- */

bool weir_pipeline_may_decide(const weir_exchange_t *x)
{
    const weir_walk_t *walk = &x->walk;

    return !walk->is_over && walk->decision == WEIR_UNDECIDED && !walk->is_replying && (walk->is_running || walk->is_waiting);
}

static weir_verdict_t decide(weir_exchange_t *x, weir_decision_t decision)
{
    WEIR_MUST(weir_pipeline_may_decide(x));
    WEIR_MUST(decision == WEIR_DECIDED_NEXT || weir_pipeline_current(x)->number < WEIR_STAGE_REFUSE);
    x->walk.decision = decision;
    if (!x->walk.is_running)
        post_resume(x);
    return (weir_verdict_t){SEAL};
}

static bool was_entered(const weir_exchange_t *x, size_t index)
{
    for (size_t i = 0; i < x->walk.depth; i++) {
        if (x->walk.entered[i] == index)
            return true;
    }
    return false;
}

bool weir_pipeline_can_go_back(const weir_exchange_t *x, uint8_t number)
{
    size_t index = index_from(x, number, 0);

    return was_entered(x, index) && x->plan->stages[index]->number == number;
}

void weir_pipeline_overrule(weir_exchange_t *x, const weir_fault_t *fault)
{
    if (!x->is_client_gone)
        x->fault = fault;
    x->walk.decision = WEIR_DECIDED_REFUSE;
}

void weir_pipeline_settle(weir_exchange_t *x)
{
    x->walk.owes = false;
    if (x->walk.is_over && !x->walk.is_posted)
        post_resume(x); /* it is destroyed from the loop, not on the speaker's stack */
}

weir_verdict_t weir_walk_next(weir_exchange_t *x)
{
    return decide(x, WEIR_DECIDED_NEXT);
}

weir_verdict_t weir_walk_back(weir_exchange_t *x, uint8_t number)
{
    WEIR_MUST(weir_pipeline_can_go_back(x, number));
    if (++x->walk.backs > BACKS_MOST)
        return weir_walk_refuse(x, &weir_fault_too_many_attempts);
    x->walk.back_to = index_from(x, number, 0);
    return decide(x, WEIR_DECIDED_BACK);
}

weir_verdict_t weir_walk_refuse(weir_exchange_t *x, const weir_fault_t *fault)
{
    WEIR_MUST(fault != NULL && fault->name != NULL);
    if (!x->is_client_gone)
        x->fault = fault;
    return decide(x, WEIR_DECIDED_REFUSE);
}

weir_verdict_t weir_walk_done(weir_exchange_t *x)
{
    return decide(x, WEIR_DECIDED_DONE);
}

weir_verdict_t weir_walk_wait(weir_exchange_t *x)
{
    return (weir_verdict_t){SEAL};
}

/* ---- the client goes ---- */

bool weir_pipeline_hears_end(const weir_exchange_t *x)
{
    const weir_stage_t *stage = weir_pipeline_current(x);

    return stage->number >= WEIR_STAGE_REFUSE || stage->cancel == NULL;
}

void weir_pipeline_abandon(weir_exchange_t *x)
{
    WEIR_MUST(!x->walk.is_running);
    if (!x->walk.is_waiting || x->walk.decision != WEIR_UNDECIDED)
        return; /* not started, or a verdict is on its way: follow() sees that the client is gone */
    if (weir_pipeline_hears_end(x)) {
        if (x->on_gone != NULL)
            x->on_gone(x);
        return; /* what cannot be stopped still speaks its verdict, and must not find x gone; then follow() sees it */
    }
    if (x->walk.is_replying)
        x->walk.is_replying = false; /* a stage that has spoken has nothing to stop */
    else
        cancel_current(x);
    (void)decide(x, WEIR_DECIDED_DONE);
}
