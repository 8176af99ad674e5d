/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_SAVED_H
#define WEIR_STATE_SAVED_H
/**
 * @file  What a store had, in a file, for a start while it is away. A cache: whatever is wrong with it, it is as if it were not
 * there, and it can be removed at any time.
 *
 *   magic, version, prefix, cluster, revision, count │ records │ CRC-32 of all before
 *
 * OWNER    One source.
 * THREAD   Its own; the disk is waited for on another one.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "lib/state/step.h"

typedef struct state_saved_head {
    uint64_t cluster_id;
    int64_t revision;
    uint64_t saved_at_ms; /* by the wall's clock */
} state_saved_head_t;

enum { STATE_SAVED_PROBLEM_BYTES = 256, STATE_SAVED_PATH_BYTES = 4096 };

/**
 * Puts what the file has into the step, which is empty, and does not commit. False: `problem` says why ("" if there is no
 * file), and the step is as good as new.
 */
bool state_saved_load(const char *path, state_step_t *step, state_saved_head_t *out, char problem[STATE_SAVED_PROBLEM_BYTES]);

/** Writes on while others go on. Zeroed, none is under way. */
typedef struct state_saving {
    int fd; /* from 1 on while it is written */
    uint32_t sum;
    state_names_walk_t walk;
    size_t chain_count; /* of the table when it was begun: when that grows, it is begun anew */
    uint64_t records;
    state_saved_head_t head;
    char path[STATE_SAVED_PATH_BYTES], temporary[STATE_SAVED_PATH_BYTES + 8];
    char *bytes;
    size_t used;
    bool is_threaded, has_failed;
    atomic_bool is_settled;
    pthread_t thread;
    char problem[STATE_SAVED_PROBLEM_BYTES]; /* of the last one; "": it was fine */
} state_saving_t;

/** Begins one; what was under way is given up. False: see its problem. */
bool state_saving_begin(state_saving_t *saving, const char *path, const state_step_t *step, const state_saved_head_t *head);
/** Writes some of it. True: there is more to write. Keys that change meanwhile are in it as they were or are: whoever follows
 * from its revision on sees those changes (again). */
bool state_saving_go_on(state_saving_t *saving, const state_step_t *step);
/** Whether nothing is under way but to be ended: it is there, or has failed. */
bool state_saving_is_over(const state_saving_t *saving);
/** It is not wanted any more, or has to be there: waits for the disk. */
void state_saving_end(state_saving_t *saving);

#endif
