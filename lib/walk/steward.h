/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_STEWARD_H
#define WEIR_WALK_STEWARD_H
/**
 * @file  The steward: one loop beside those that serve, for what is to happen now and then and must not stop a request.
 *
 * lib/wire implements it; in t/unit/fake_*.c it is the fake loop.
 * THREAD   Any.
 */
#include "lib/walk/loop.h"

/** Its loop, on a thread of its own that is started by the first who asks. Letters are the way there. Never NULL. */
weir_loop_t *weir_steward(void);

/** Whether this is its thread. */
bool weir_steward_is_here(void);

/** Ends the thread, if there is one. Nothing of anybody's may be set or under way on its loop. */
void weir_steward_stop(void);

#endif
