/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_FOLLOW_PRIVATE_H
#define WEIR_STATE_FOLLOW_PRIVATE_H
/**
 * @file  What the files of following share.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "lib/state/follow.h"
#include "lib/state/saved.h"

enum {
    STATE_BACKOFF_LEAST_MS = 200,
    STATE_BACKOFF_MOST_MS = 10000,
    STATE_SLOW_MS = 60000, /* who we are is not taken, or the keys are for newer readers */
    STATE_NODE_TTL_S = 30,
    STATE_NODE_KEEP_US = 10000000,
    STATE_TURN_MS = 1000
};

typedef struct state_event {
    char *bytes; /* key, NUL, value; the event's own */
    size_t key_length, value_length;
    int64_t mod_revision;
    bool is_removal, has_lease;
} state_event_t;

typedef struct state_told {
    char *key, *why;
    state_bad_t bad;
    int64_t mod_revision;
} state_told_t;

struct state_follow {
    state_step_t step;
    weir_etcd_t *etcd;
    char *root; /* "/weir/v1/"  */
    char *end;  /* "/weir/v10": of all that begins with it */
    char *snapshot_file, *node_key, *address;
    uint32_t resync_ms, save_ms;

    /* its thread's */
    pthread_t thread;
    bool is_started;
    uint64_t cluster_id; /* 0: unknown           */
    int64_t revision;    /* that is applied; 0: none */
    bool needs_snapshot;
    bool is_too_new;         /* the keys are for newer readers: nothing of them is taken */
    uint32_t backoff_ms;     /* 0: at once            */
    uint64_t snapshot_at_us; /* when there was one last; 0: never */
    state_event_t *events;   /* of a revision that is not whole yet */
    size_t event_count, event_room;
    int64_t lease;
    uint64_t node_due_us, save_due_us;
    int64_t node_revision, saved_revision;
    uint64_t changes; /* that are applied and not saved */
    bool has_node_trouble;
    state_saving_t saving;
    uint32_t dice;

    atomic_bool is_ending, is_accepted, is_retried;

    state_follow_facts_t facts;

    pthread_mutex_t lock; /* for all below, which is told */
    state_follow_facts_t shown;
    state_told_t *told;
    size_t told_count;
    uint64_t told_refused; /* as of when it was copied */
    size_t told_troubles;
};

/** follow.c: what others may read is as it is now. `problem` NULL: as it was. */
void state_follow_publish(state_follow_t *follow, const char *problem);
/** Whole keys without the root; false: it is none of ours. */
bool state_follow_key(const state_follow_t *follow, weir_span_t whole, weir_span_t *out);
uint32_t state_follow_dice(state_follow_t *follow, uint32_t most);

/** follow_snapshot.c. Fine, and `is_too_new`: nothing was taken. */
weir_etcd_status_t state_follow_snapshot(state_follow_t *follow);
/** follow_events.c: what a watch has said. False: the watch is of no use any more. */
bool state_follow_news(state_follow_t *follow, const weir_etcd_news_t *news);
void state_follow_forget_events(state_follow_t *follow);
/** follow_node.c: its own key, if it is time. */
void state_follow_keep_node(state_follow_t *follow, uint64_t now_us);
void state_follow_end_node(state_follow_t *follow);

#endif
