/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_NAMES_H
#define WEIR_STATE_NAMES_H
/**
 * @file  A table of things by name, each of which has its place in itself: beside that, a million of them cost half a pointer
 * each.
 *
 * OWNER    Whoever has it embedded; the things are the user's.
 * THREAD   One.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir_types.h"

/** Embedded in a thing. */
typedef struct state_name {
    struct state_name *next; /* of its chain */
    uint64_t hash;
} state_name_t;

/** The name of a thing. */
typedef weir_span_t state_name_text_t(const state_name_t *name);

typedef struct state_names {
    state_name_t **chains;
    size_t chain_count, count;
    uint64_t key[2]; /* whoever names things must not choose where they lie */
    state_name_text_t *text;
} state_names_t;

void state_names_init(state_names_t *names, state_name_text_t *text);
/** Frees the table, not the things. */
void state_names_dispose(state_names_t *names);
/** So many will be added: it need not grow by and by. */
void state_names_expect(state_names_t *names, size_t more);
/** It will be looked for soon. */
void state_names_prefetch(const state_names_t *names, weir_span_t text);
/** NULL: it is not there. */
state_name_t *state_names_find(const state_names_t *names, weir_span_t text);
/** For those two: what is looked for and added at once is hashed once. */
uint64_t state_names_hash(const state_names_t *names, weir_span_t text);
state_name_t *state_names_find_by(const state_names_t *names, weir_span_t text, uint64_t hash);
void state_names_add_by(state_names_t *names, state_name_t *name, uint64_t hash);
/** Adds one whose name is not there. */
void state_names_add(state_names_t *names, state_name_t *name);
/** Takes out one that is there. */
void state_names_remove(state_names_t *names, state_name_t *name);

/** Where somebody stands who visits all. Zeroed: before the first. */
typedef struct state_names_walk {
    size_t chain;
    state_name_t *next;
} state_names_walk_t;
/** The next one, in no order; NULL: there are no more. The one that was visited last may be removed then. */
state_name_t *state_names_next(const state_names_t *names, state_names_walk_t *walk);

#endif
