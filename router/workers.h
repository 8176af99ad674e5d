/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_WORKERS_H
#define WEIR_ROUTER_WORKERS_H
/**
 * @file  The routers in force that take workers, and what they are asked: may one register? an app's workers are others.
 *
 * While a reload lets the one before serve on, both are known, and the newest is asked. A question holds the lock: nobody stops
 * a router that answers.
 *
 * THREAD   The steward's, but for entering and leaving.
 */
#include "lib/base/list.h"
#include "lib/walk/workers.h"

/** Embedded in a module. Zeroed, it is not known. */
typedef struct weir_worker_host {
    weir_list_t link;
    const char *name, *router; /* "HOST PATH", or as its configuration says; and the router's */
    weir_router_worker_t *worker;
    weir_router_workers_t *workers;
    weir_shared_t *shared;
} weir_worker_host_t;

/** It is in force; as `what` says, of which all is borrowed until it leaves. Nothing if it takes no workers. */
void weir_worker_host_enter(weir_worker_host_t *one, const weir_worker_host_t *what);
/** It stops. Harmless if it is not known. */
void weir_worker_host_leave(weir_worker_host_t *one);

enum { WEIR_WORKER_WHY_BYTES = 256 };

/** Whether it may register: 101, or a status with a sentence in `why`. */
uint16_t weir_worker_judge(const weir_worker_words_t *words, char why[WEIR_WORKER_WHY_BYTES]);
/** For those that are connected already: why it may not stay (static), or NULL. */
const char *weir_worker_judge_again(const weir_worker_words_t *words);
/** Tells all that the app's workers are others. */
void weir_worker_tell(const char *app);

#endif
