/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_STEP_H
#define WEIR_STATE_STEP_H
/**
 * @file  What comes from a store, judged, and put in force in one step: a revision, or a whole snapshot.
 *
 *   put, remove, … ─► commit ─► a document for each app that has changed ─► refused? which of the keys is to blame
 *                                                                            ─► that one stays as it was, the others hold
 *
 * OWNER    One source.
 * THREAD   Its own.
 */
#include "lib/state/guard.h"
#include "lib/state/trouble.h"

enum { STATE_WHY_BYTES = 512, STATE_CHANGES_MOST = 256 };

/** Of an app. `json` is borrowed. */
typedef struct state_change {
    const char *app;
    const char *json;          /* NULL: it is gone                         */
    bool is_trial;             /* nothing is changed: would it be taken?   */
    bool has_more;             /* others follow at once                    */
    bool is_fine;              /* the answer; and if not, why              */
    char why[STATE_WHY_BYTES]; /* fine, and not empty: it is, but for that */
} state_change_t;

/** Whoever puts them in force, and answers. Called on the thread of the step; may wait. */
typedef void state_apply_t(void *context, state_change_t *changes, size_t count);

typedef struct state_step {
    state_table_t table;
    state_troubles_t troubles;
    state_guard_t guards[STATE_KINDS];
    state_apply_t *apply;
    void *context;
    const char *prefix; /* before keys, in what is logged; borrowed */
    state_judged_t *judged;
    state_change_t *changes;
    uint64_t logged_from_us;
    size_t logged;
    uint64_t applied; /* documents that were put since the process began */
} state_step_t;

void state_step_init(state_step_t *step, const char *prefix, state_apply_t *apply, void *context);
/** Frees all. What has been put stays where it is. */
void state_step_dispose(state_step_t *step);

/** Takes a value, or refuses it. */
void state_step_put(state_step_t *step, const state_raw_t *raw, uint64_t now_us);
/** As it was judged, or kept, once: it is not judged again. */
state_object_t *state_step_put_kept(state_step_t *step, const state_said_t *said);
/** A key that is refused holds nothing. */
void state_step_refuse(state_step_t *step, const state_raw_t *raw, state_bad_t bad, const char *why, uint64_t now_us);
/**
 * They are no more in the store. Too many at once are held back (guard.h); so are backends of an app that has lost more than
 * half of them within ten seconds since their leases ended, until another one comes. `is_all`: the store is empty, and all is
 * held back.
 */
void state_step_lose(state_step_t *step, state_object_t *const *objects, size_t count, bool is_all, uint64_t now_us);
/** What is held back goes. Returns how many. */
size_t state_step_accept(state_step_t *step);
/** How much that is. */
size_t state_step_held(const state_step_t *step);
/** Judges again what routers have refused: they may be others now. */
void state_step_retry(state_step_t *step, uint64_t now_us);
/** All is in force that can be. */
void state_step_commit(state_step_t *step, uint64_t now_us);
/** All apps that it has put are gone. */
void state_step_withdraw(state_step_t *step);

#endif
