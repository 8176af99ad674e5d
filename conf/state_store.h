/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_STATE_STORE_H
#define WEIR_CONF_STATE_STORE_H
/**
 * @file  Apps of a store that many proxies watch (weir.state: etcd, docs/state.md).
 *
 * OWNER    state.c.
 * THREAD   The main one; what is told and accepted, any. The store is followed on a thread of its own, which waits for the
 *          steward's to put what has come.
 */
#include "lib/state/follow.h"

enum { CONF_ETCD_ENDPOINTS_MOST = 32 };

/** What the directive says. In the configuration's arena. */
typedef struct conf_etcd {
    const char *endpoints[CONF_ETCD_ENDPOINTS_MOST];
    const char *text; /* all of it, to see whether it has changed */
    state_follow_settings_t follow;
} conf_etcd_t;

typedef struct conf_state_store conf_state_store_t;

/** What the snapshot file has is put, on the calling thread: before anybody serves. NULL, and `problem`: it cannot be. */
conf_state_store_t *conf_state_store_start(const conf_etcd_t *etcd, char problem[static STATE_FOLLOW_PROBLEM_BYTES]);
/** Whether it is followed as `etcd` says. */
bool conf_state_store_is_as(const conf_state_store_t *store, const conf_etcd_t *etcd);
/** It is followed as `etcd` says from now on; what is known stays. False: see `problem`, and it is as it was. */
bool conf_state_store_change(conf_state_store_t *store, const conf_etcd_t *etcd,
                             char problem[static STATE_FOLLOW_PROBLEM_BYTES]);
/** Nothing is followed any more; nulls. What was put stays. Harmless on NULL. */
void conf_state_store_stop(conf_state_store_t **slot);
/** The same, and what was put goes. */
void conf_state_store_leave(conf_state_store_t **slot);

bool conf_state_store_accept(conf_state_store_t *store);
/** Routers are others. */
void conf_state_store_retry(conf_state_store_t *store);
void conf_state_store_tell(conf_state_store_t *store, state_follow_facts_t *out);
void conf_state_store_each(conf_state_store_t *store, void (*visit)(const state_follow_trouble_t *trouble, void *context),
                           void *context);

#endif
