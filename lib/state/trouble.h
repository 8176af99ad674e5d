/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_TROUBLE_H
#define WEIR_STATE_TROUBLE_H
/**
 * @file  Values that were refused: which keys, why, and what they said. What was there before holds meanwhile.
 *
 * OWNER    One source.
 * THREAD   One at a time: its own, and with the source's lock those who look on.
 */
#include "lib/state/judge.h"

enum { STATE_TROUBLES_MOST = 10000 }; /* that are remembered; more are only counted */

typedef struct state_trouble {
    state_name_t by_key;
    int64_t mod_revision;
    state_bad_t bad;
    char *why;
    char *value; /* as it was said, to be judged again */
    size_t value_length;
    uint32_t generation; /* of the snapshot that had it last */
    bool has_lease;
    uint16_t key_length;
    char key[];
} state_trouble_t;

typedef struct state_troubles {
    state_names_t by_key;
    size_t counts[STATE_BADS]; /* that hold now         */
    uint64_t refused;          /* since the process began */
    uint32_t generation;
} state_troubles_t;

/** A value as the store has it. Borrowed. */
typedef struct state_raw {
    weir_span_t key, value; /* the key as state_said_t has it */
    int64_t mod_revision;
    bool has_lease;
} state_raw_t;

void state_troubles_init(state_troubles_t *troubles);
void state_troubles_dispose(state_troubles_t *troubles);
/** True: it is new, or another one than before. */
bool state_troubles_add(state_troubles_t *troubles, const state_raw_t *raw, state_bad_t bad, const char *why);
/** Harmless if there is none. */
void state_troubles_drop(state_troubles_t *troubles, weir_span_t key);
const state_trouble_t *state_troubles_find(const state_troubles_t *troubles, weir_span_t key);
/** A snapshot begins, and has ended: what it did not have is dropped. */
void state_troubles_begin(state_troubles_t *troubles);
void state_troubles_sweep(state_troubles_t *troubles);
/** NULL: there are no more. That one may be dropped then. */
const state_trouble_t *state_troubles_next(const state_troubles_t *troubles, state_names_walk_t *walk);

#endif
