/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_GRACE_H
#define WEIR_WIRE_GRACE_H
/**
 * @file  When nobody can still read what was retired (lib/walk/weir_retire.h).
 *
 * There is an age, which each retirement raises. A loop notes, between two events, what age it has seen: whatever was retired
 * up to then, nothing on that loop reads any more. What every loop has left behind is released.
 *
 * OWNER    A reader lies in its loop.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "lib/base/list.h"

typedef struct weir_grace_reader {
    weir_list_t link;
    _Atomic uint64_t seen;
} weir_grace_reader_t;

/** From here on the thread may read, and nothing is released until it has said that it is quiet. On its thread. */
void weir_grace_join(weir_grace_reader_t *reader);
/** Between two events: it reads nothing. Costs a load, unless something was retired since. On its thread. */
void weir_grace_quiet(weir_grace_reader_t *reader);
/** It reads no more. With the last reader everything is released. On its thread, or when that has ended. */
void weir_grace_part(weir_grace_reader_t *reader);

/** Calls each(reader, context) for all of them; none joins or parts meanwhile. Any thread. */
void weir_grace_each(void (*each)(weir_grace_reader_t *reader, void *context), void *context);

/** Releases what nobody can read any more; how many are left. From the steward, or a test. Any thread. */
size_t weir_grace_release(void);
/** The steward ends: it looks no more. On its thread, when its letters are open. */
void weir_grace_unwatch(void);

#endif
