/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_SLOW_H
#define WEIR_WALK_SLOW_H
/**
 * @file  Calls of other people's code that took as long as `callback-warn` says: the last hundred, and how many there were.
 *
 * Only what was slow comes here, so that a lock costs nothing in proportion.
 * THREAD   Any.
 */
#include "lib/walk/at_work.h"

enum { WEIR_SLOWS = 100, WEIR_SLOW_CALLBACKS = 32 };

/** One call. */
typedef struct weir_slow {
    const char *kind, *name, *callback; /* as in weir_at_work_t */
    uint64_t wall_us;                   /* when it ended            */
    uint64_t us;                        /* how long it took         */
    unsigned loop;                      /* from 1; 0: of none that is watched */
    char id[WEIR_DESK_ID_BYTES];        /* of the request, cut where it does not fit; "": for none */
} weir_slow_t;

/** Notes one. `id` base NULL: for no request. */
void weir_slow_note(const weir_at_work_t *work, unsigned loop, weir_span_t id, uint64_t us);

/** The last ones, the newest first. Returns how many. */
size_t weir_slow_list(weir_slow_t out[static WEIR_SLOWS]);

/** How many there were since the process began, by the function's name. */
typedef struct weir_slow_count {
    const char *callback; /* a literal; those that there is no place for are "other" */
    uint64_t count;
} weir_slow_count_t;

/** Returns how many there are. */
size_t weir_slow_counts(weir_slow_count_t out[static WEIR_SLOW_CALLBACKS]);

#endif
