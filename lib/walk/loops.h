/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_LOOPS_H
#define WEIR_WALK_LOOPS_H
/**
 * @file  All loops of the process, those of programs that embed it included.
 *
 * lib/wire implements it; in t/unit/fake_loop.c there is one.
 */

/** Has visit(argument) run once on each loop's thread, soon. `argument` is only passed on. Any thread. */
void weir_loops_visit(void (*visit)(void *argument), void *argument);

#endif
