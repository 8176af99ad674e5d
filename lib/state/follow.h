/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_FOLLOW_H
#define WEIR_STATE_FOLLOW_H
/**
 * @file  Follows the keys of a store: a snapshot once, then what changes, and on from there after each interruption.
 *
 *   connect ─► snapshot ─► watch ─► events, a revision at a time
 *      ▲          ▲          │
 *      │          └──────────┼── compacted, restored from a backup, another cluster
 *      └─────────────────────┴── cut, no leader: what is known goes on to be served
 *
 * What is resumed from is the revision of the last event that was applied: what an answer's header says is the store's, of
 * which events may be still to come.
 *
 * OWNER    The caller.
 * THREAD   Of its own, which state_follow_start() starts; all functions here are for others, and none of them waits, but for
 *          state_follow_stop() and state_follow_load().
 */
#include "lib/state/step.h"
#include "lib/wire/store/etcd.h"

enum { STATE_FOLLOW_TOLD_MOST = 1000, STATE_FOLLOW_PROBLEM_BYTES = 320 };

/** Strings are copied, but for those of `store`, which weir_etcd_create() copies. */
typedef struct state_follow_settings {
    weir_etcd_settings_t store;
    const char *prefix;        /* "/weir": keys are below "/weir/v1/"                                              */
    const char *snapshot_file; /* NULL: none                                                                      */
    const char *node;          /* whose status is told below "/weir/v1-status/nodes/"; NULL: it is not            */
    const char *address;       /* that it tells; NULL: none                                                       */
    uint32_t resync_ms;        /* the least time from one snapshot to the next, and six times the most of its delay */
    uint32_t save_ms;          /* from one file to the next                                                       */
} state_follow_settings_t;

typedef struct state_follow state_follow_t;

/** NULL: `problem` says what is wrong with an endpoint. */
state_follow_t *state_follow_create(const state_follow_settings_t *settings, state_apply_t *apply, void *context,
                                    char problem[static STATE_FOLLOW_PROBLEM_BYTES]);
/** Puts what the file has, if it has anything, on the caller's thread. Before it is started. */
void state_follow_load(state_follow_t *follow);
void state_follow_start(state_follow_t *follow);
/** Nothing is called any more; the file is there. */
void state_follow_stop(state_follow_t *follow);
/** What it has put is taken back, on the caller's thread. It has been stopped. */
void state_follow_withdraw(state_follow_t *follow);
/**
 * One that was not started takes over what another one knows, which has been stopped. Of the same keys (`is_same_place`) it
 * goes on from there; else all is read anew.
 */
void state_follow_inherit(state_follow_t *follow, state_follow_t *other, bool is_same_place);
/** Frees and nulls; harmless on NULL. It has been stopped, or was not started. */
void state_follow_destroy(state_follow_t **slot);

/** What is held back may go. False: nothing is. */
bool state_follow_accept(state_follow_t *follow);
/** Routers are others: what they have refused is tried again, and so is what was waited with. */
void state_follow_retry(state_follow_t *follow);

typedef struct state_follow_facts {
    bool has_state;    /* from wherever             */
    bool is_following; /* the watch is there        */
    bool is_of_file;   /* what there is, is from the file; the store has not been heard of */
    char endpoint[256];
    char problem[STATE_FOLLOW_PROBLEM_BYTES];
    uint64_t cluster_id;
    int64_t revision, store_revision;
    uint64_t cut_at_us;                     /* since when it does not follow, monotonic; 0: it does                 */
    uint64_t changed_at_ms;                 /* by the wall's clock; 0: never                                        */
    uint64_t saved_at_ms;                   /* of the file that is there; 0: none                                   */
    uint64_t snapshots, events, reconnects; /* since the process began */
    size_t counts[STATE_KINDS], held[STATE_KINDS], bad[STATE_BADS];
    uint64_t refused;
} state_follow_facts_t;

void state_follow_tell(state_follow_t *follow, state_follow_facts_t *out);

/** A value that is refused. All is borrowed for the call. */
typedef struct state_follow_trouble {
    const char *key, *why; /* the whole key */
    state_bad_t bad;
    int64_t mod_revision;
} state_follow_trouble_t;
/** Visits STATE_FOLLOW_TOLD_MOST of them at most. */
void state_follow_each(state_follow_t *follow, void (*visit)(const state_follow_trouble_t *trouble, void *context),
                       void *context);

#endif
