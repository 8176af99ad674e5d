/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_PIPELINE_H
#define WEIR_WALK_PIPELINE_H
/**
 * @file  The walk itself: runs an exchange's stages until one waits or none is left.
 *
 * Verdicts are weir_stage.h's. A verdict spoken outside enter() resumes the walk from the loop, never on the
 * speaker's stack (docs/architecture.md, invariant 4).
 */
#include "lib/walk/exchange.h"

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

#endif
