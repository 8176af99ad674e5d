/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_INSTANCE_H
#define WEIR_ROUTER_INSTANCE_H
/**
 * @file  A router in one place of a configuration: what it is told of that, its tickers and its probes. Private to router/.
 */
#include <pthread.h>

#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/walk/loop.h"
#include "weir_host.h"

struct weir_instance {
    const char *router; /* its name, for logs; static, or the module's */
    char *name, *where;
    uint64_t generation;
    weir_log_limit_t log_limit;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t has_ended;
    weir_list_t tickers;
    bool is_still; /* no ticker and no probe begins any more */
    weir_list_t probes;
    weir_letter_t end_probes;
    bool is_ending_probes; /* that letter is on its way       */
    bool is_telling;       /* on_result of one of them is running */
};

/** Fills a zeroed one in; the texts are copied. */
void weir_instance_begin(weir_instance_t *instance, const char *router, const char *name, const char *where,
                         uint64_t generation);

/** waiting.c: how many requests may wait from now on, of all routers. */
void weir_waiting_most_set(uint32_t count);

/** Ends every ticker and probe; when it returns none runs, nor will. Tickers stay in memory: their router may stop them yet. */
void weir_instance_still(weir_instance_t *instance);

/** probe.c: ends every probe. On the steward's thread, under the lock. */
void weir_instance_drop_probes(weir_instance_t *instance);

/** Frees what it holds; harmless on a zeroed one. */
void weir_instance_end(weir_instance_t *instance);

#endif
