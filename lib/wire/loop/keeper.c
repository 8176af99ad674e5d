/* SPDX-License-Identifier: MIT */
#include "lib/wire/loop/keeper.h"

#include "lib/base/must.h"
#include "lib/wire/loop/loop.h"

void weir_keeper_init(weir_keeper_t *keeper)
{
    *keeper = (weir_keeper_t){.has_thread = false};
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->wake, NULL);
    weir_list_init(&keeper->jobs);
}

/* NULL when it is time to end. */
static weir_job_t *next_job(weir_keeper_t *keeper)
{
    weir_job_t *job = NULL;

    pthread_mutex_lock(&keeper->lock);
    while (weir_list_is_empty(&keeper->jobs) && !keeper->is_stopping)
        pthread_cond_wait(&keeper->wake, &keeper->lock);
    if (!weir_list_is_empty(&keeper->jobs)) {
        job = WEIR_AROUND(keeper->jobs.next, weir_job_t, link);
        weir_list_remove(&job->link);
    }
    pthread_mutex_unlock(&keeper->lock);
    return job;
}

static void *run(void *arg)
{
    weir_job_t *job;

    while ((job = next_job(arg)) != NULL)
        job->run(job);
    weir_loop_forget_thread();
    return NULL;
}

void weir_keeper_post(weir_keeper_t *keeper, weir_job_t *job, void (*what)(weir_job_t *job))
{
    job->run = what;
    weir_list_init(&job->link);
    pthread_mutex_lock(&keeper->lock);
    weir_list_append(&keeper->jobs, &job->link);
    if (!keeper->has_thread)
        WEIR_MUST(pthread_create(&keeper->thread, NULL, run, keeper) == 0);
    keeper->has_thread = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
}

void weir_keeper_finish(weir_keeper_t *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->is_stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    if (keeper->has_thread)
        pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
}
