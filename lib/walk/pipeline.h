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

enum { WEIR_STAGE_REFUSE = 75, WEIR_STAGE_CHECKIN = 80 };

/** Runs from the current stage on. Destroys the exchange when the last stage has been left. */
void weir_pipeline_run(weir_exchange_t *x);

/**
 * Ends the current stage's wait from outside and goes to 80 with nothing of it left to decide; see weir_exchange_client_gone().
 */
void weir_pipeline_abandon(weir_exchange_t *x);

#endif
