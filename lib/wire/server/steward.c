/* SPDX-License-Identifier: MIT */
#include "lib/walk/steward.h"

#include <pthread.h>
#include <signal.h>

#include "lib/base/crash.h"
#include "lib/base/must.h"
#include "lib/wire/back/resolver.h"
#include "lib/wire/loop/loop.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    pthread_t thread;
    bool has_thread;
    weir_loop_t *loop;
    weir_letter_t stop;
    weir_server_t server; /* it serves nobody */
} steward = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER};

static __thread bool is_here;

static void no_part(weir_loop_t *loop)
{
}

static bool no_spare(weir_loop_t *loop)
{
    return false;
}

static void open_names(weir_loop_t *loop)
{
    loop->resolver = weir_resolver_create(loop);
}

static void settle_names(weir_loop_t *loop)
{
    weir_resolver_settle(loop->resolver);
}

static void close_names(weir_loop_t *loop)
{
    weir_resolver_destroy(&loop->resolver);
}

/* No client ever comes to this loop; probes go from it to backends, whose names they find as requests do. */
static const weir_loop_parts_t parts = {open_names, no_part, settle_names, close_names, no_spare};

static void *run(void *unused)
{
    weir_loop_t *loop = weir_loop_create(&steward.server, &parts);

    weir_crash_thread_begin();
    is_here = true;
    pthread_mutex_lock(&steward.lock);
    steward.loop = loop;
    pthread_cond_broadcast(&steward.ready);
    pthread_mutex_unlock(&steward.lock);
    weir_loop_run(loop);
    weir_loop_settle(loop);
    weir_grace_unwatch();
    weir_loop_destroy(&loop);
    weir_loop_forget_thread();
    weir_crash_thread_end();
    return unused;
}

/* Signals are for the main thread's loop. */
static void start(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    WEIR_MUST(pthread_create(&steward.thread, NULL, run, NULL) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    steward.has_thread = true;
}

weir_loop_t *weir_steward(void)
{
    weir_loop_t *loop;

    pthread_mutex_lock(&steward.lock);
    if (!steward.has_thread)
        start();
    while (steward.loop == NULL)
        pthread_cond_wait(&steward.ready, &steward.lock);
    loop = steward.loop;
    pthread_mutex_unlock(&steward.lock);
    return loop;
}

bool weir_steward_is_here(void)
{
    return is_here;
}

static void on_stop(weir_letter_t *letter)
{
    weir_loop_stop(steward.loop);
}

void weir_steward_stop(void)
{
    pthread_mutex_lock(&steward.lock);
    if (steward.has_thread) {
        steward.stop.open = on_stop;
        weir_list_init(&steward.stop.link);
        weir_loop_post(steward.loop, &steward.stop);
        pthread_join(steward.thread, NULL);
        steward.has_thread = false;
        steward.loop = NULL;
    }
    pthread_mutex_unlock(&steward.lock);
}
