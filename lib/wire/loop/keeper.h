/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_KEEPER_H
#define WEIR_WIRE_KEEPER_H
/**
 * @file  A thread for what may take its time: reading configurations, loading and releasing modules. It serves nobody.
 *
 * OWNER    Embedded in the server. The thread is started by the first job.
 * THREAD   Any may give it jobs; they run one after the other.
 */
#include <pthread.h>
#include <stdbool.h>

#include "lib/base/list.h"

/** A piece of work, embedded in what it is about; borrowed until `run` is called. */
typedef struct weir_job {
    weir_list_t link;
    void (*run)(struct weir_job *job);
} weir_job_t;

typedef struct weir_keeper {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    weir_list_t jobs;
    pthread_t thread;
    bool has_thread, is_stopping;
} weir_keeper_t;

/** Makes one without jobs; its thread comes with the first. */
void weir_keeper_init(weir_keeper_t *keeper);

/** Has `what` called on the keeper's thread. */
void weir_keeper_post(weir_keeper_t *keeper, weir_job_t *job, void (*what)(weir_job_t *job));

/** Waits until every job is done, and ends the thread. */
void weir_keeper_finish(weir_keeper_t *keeper);

#endif
