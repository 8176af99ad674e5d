/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_BLAME_H
#define WEIR_STATE_BLAME_H
/**
 * @file  An app's document was refused: which of its new keys are to blame. Private to step.c and losses.c.
 */
#include "lib/state/step.h"

/**
 * Those that are to blame are refused, and are as they were; the others are fresh still, and the slot is dirty if they are to
 * be put. Nothing to blame (what was there before would be refused as well): all of it is settled, and waits. Uses
 * step->changes.
 */
void state_blame(state_step_t *step, state_slot_t *slot, uint64_t now_us);

/** step.c: nothing of the slot is fresh any more. */
void state_step_settle(state_step_t *step, state_slot_t *slot);
/** step.c: all documents are to be made anew. */
void state_step_touch_all(state_step_t *step);

#endif
