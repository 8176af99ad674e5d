/* SPDX-License-Identifier: MIT */
/*
 *            enter ──► decided? ──no──► wait ◄─┐ verdict ──► letter ──► run
 *              ▲          │ yes                │
 *              │          ▼                    └── client gone: cancel, DONE
 *   next, back └─────── follow ──► 75 (refuse), 80 (done, client gone) ──► … ──► leave all, destroy
 */
#include "lib/walk/pipeline.h"

#include "lib/base/must.h"
#include "lib/walk/destroy.h"
#include "lib/walk/front.h"

enum { SEAL = 0x77a1 };

static const weir_stage_t *current(const weir_exchange_t *x)
{
    return x->plan->stages[x->walk.at];
}

/* From the stage `i` on: numbers only ascend. */
static size_t index_from(const weir_exchange_t *x, unsigned number, size_t i)
{
    while (i < x->plan->stage_count && x->plan->stages[i]->number < number)
        i++;
    return i;
}

/* Leaves, newest first, every stage entered at or after `floor`. */
static void unwind(weir_exchange_t *x, size_t floor)
{
    weir_walk_t *walk = &x->walk;

    while (walk->depth > 0 && walk->entered[walk->depth - 1] >= floor) {
        size_t index = walk->entered[--walk->depth];
        const weir_stage_t *stage = x->plan->stages[index];
        if (stage->leave != NULL)
            stage->leave(x, walk->memory[index]);
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
    const weir_stage_t *stage = current(x);
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
    verdict = stage->enter(x, walk->memory[walk->at]);
    WEIR_MUST(verdict.seal_ == SEAL);
}

static void follow(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;

    /* Whatever the stage decided: nobody is there to be served. What was picked is checked in by 80. */
    if (x->is_client_gone && current(x)->number < WEIR_STAGE_REFUSE) {
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

void weir_pipeline_run(weir_exchange_t *x)
{
    weir_walk_t *walk = &x->walk;

    WEIR_MUST(!walk->is_running && !walk->is_posted);
    walk->is_running = true;
    while (walk->at < x->plan->stage_count) {
        if (!walk->is_waiting)
            enter_current(x);
        walk->is_waiting = walk->decision == WEIR_UNDECIDED;
        if (walk->is_waiting)
            break; /* someone holds x and will decide */
        follow(x);
    }
    if (walk->at < x->plan->stage_count) {
        walk->is_running = false;
        return;
    }
    unwind(x, 0);
    weir_front_finish(x);
    walk->is_over = true;
    if (atomic_load_explicit(&walk->posts, memory_order_acquire) == 0)
        weir_exchange_destroy(x); /* else by stage.c, with the last letter */
}

static void on_resume(weir_letter_t *letter)
{
    weir_exchange_t *x = WEIR_AROUND(letter, weir_exchange_t, walk.resume);

    x->walk.is_posted = false;
    weir_pipeline_run(x);
}

static weir_verdict_t decide(weir_exchange_t *x, weir_decision_t decision)
{
    weir_walk_t *walk = &x->walk;

    WEIR_MUST(walk->decision == WEIR_UNDECIDED && !walk->is_replying && (walk->is_running || walk->is_waiting));
    WEIR_MUST(decision == WEIR_DECIDED_NEXT || current(x)->number < WEIR_STAGE_REFUSE);
    walk->decision = decision;
    if (!walk->is_running) {
        walk->is_posted = true;
        walk->resume.open = on_resume;
        weir_loop_post(x->loop, &walk->resume);
    }
    return (weir_verdict_t){SEAL};
}

bool weir_pipeline_hears_end(const weir_exchange_t *x)
{
    return current(x)->number >= WEIR_STAGE_REFUSE || current(x)->cancel == NULL;
}

void *weir_stage_memory(const weir_exchange_t *x)
{
    return x->walk.memory[x->walk.at];
}

void weir_pipeline_abandon(weir_exchange_t *x)
{
    const weir_stage_t *stage;

    WEIR_MUST(!x->walk.is_running);
    if (!x->walk.is_waiting || x->walk.decision != WEIR_UNDECIDED)
        return; /* not started, or a verdict is on its way: follow() sees that the client is gone */
    if (weir_pipeline_hears_end(x))
        return; /* what cannot be stopped still speaks its verdict, and must not find x gone; then follow() sees it */
    stage = current(x);
    if (x->walk.is_replying)
        x->walk.is_replying = false; /* a stage that has spoken has nothing to stop */
    else
        stage->cancel(x, x->walk.memory[x->walk.at]);
    begin_turn(&x->walk);
    (void)decide(x, WEIR_DECIDED_DONE);
}

weir_verdict_t weir_next(weir_exchange_t *x)
{
    return decide(x, WEIR_DECIDED_NEXT);
}

weir_verdict_t weir_back(weir_exchange_t *x, uint8_t number)
{
    size_t index = index_from(x, number, 0);
    bool was_entered = false;

    for (size_t i = 0; i < x->walk.depth; i++)
        was_entered = was_entered || x->walk.entered[i] == index;
    WEIR_MUST(was_entered && x->plan->stages[index]->number == number);
    x->walk.back_to = index;
    return decide(x, WEIR_DECIDED_BACK);
}

weir_verdict_t weir_refuse(weir_exchange_t *x, const weir_fault_t *fault)
{
    WEIR_MUST(fault != NULL);
    if (!x->is_client_gone)
        x->fault = fault;
    return decide(x, WEIR_DECIDED_REFUSE);
}

weir_verdict_t weir_done(weir_exchange_t *x)
{
    return decide(x, WEIR_DECIDED_DONE);
}

weir_verdict_t weir_wait(weir_exchange_t *x)
{
    return (weir_verdict_t){SEAL};
}
