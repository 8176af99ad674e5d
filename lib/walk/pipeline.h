/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_PIPELINE_H
#define WEIR_WALK_PIPELINE_H
/**
 * @file  The walk itself: runs an exchange's stages until one waits or none is left.
 *
 * Verdicts are weir_stage.h's for stages of users, which are checked, and those below for the stages of the house, which are
 * trusted. A verdict spoken outside enter() resumes the walk from the loop, never on the speaker's stack (docs/architecture.md,
 * invariant 4).
 */
#include "lib/walk/exchange.h"

/* The five verdicts of built-in stages. */
weir_verdict_t weir_walk_next(weir_exchange_t *x);
weir_verdict_t weir_walk_back(weir_exchange_t *x, uint8_t number);
weir_verdict_t weir_walk_refuse(weir_exchange_t *x, const weir_fault_t *fault);
weir_verdict_t weir_walk_done(weir_exchange_t *x);
weir_verdict_t weir_walk_wait(weir_exchange_t *x);

/** Runs from the current stage on. Destroys the exchange when the last stage has been left. */
void weir_pipeline_run(weir_exchange_t *x);

/**
 * Whether the stage that is at work hears itself how the client's side has ended, by a callback of its own: it is not cancelled
 * when the client goes (from 75 on, and where a stage has no cancel).
 */
bool weir_pipeline_hears_end(const weir_exchange_t *x);

/**
 * Ends the current stage's wait from outside and goes to 80 with nothing of it left to decide; see weir_exchange_client_gone().
 */
void weir_pipeline_abandon(weir_exchange_t *x);

/* ---- for stage.c, where the verdicts of users' stages are looked at ---- */

/** The stage at work. */
const weir_stage_t *weir_pipeline_current(const weir_exchange_t *x);

/** Whether it is in the house. */
bool weir_pipeline_is_built_in(const weir_exchange_t *x);

/** Whether it may decide now: it runs or waits, and has neither decided nor begun to reply. */
bool weir_pipeline_may_decide(const weir_exchange_t *x);

/** Whether the walk can go back to `number`: a stage that has been entered. */
bool weir_pipeline_can_go_back(const weir_exchange_t *x, uint8_t number);

/** Puts a refusal in the place of a decision that has not been followed yet. */
void weir_pipeline_overrule(weir_exchange_t *x, const weir_fault_t *fault);

/** The verdict that was owed has come. */
void weir_pipeline_settle(weir_exchange_t *x);

/** A letter of weir_exchange_post() has been opened: ends a walk that only waited for it. True: the exchange is gone. */
bool weir_pipeline_close(weir_exchange_t *x);

/** Says on standard error what the stage at work did wrong; at most ten lines a second. */
void weir_stage_complain(const weir_exchange_t *x, const char *mistake);

#endif
