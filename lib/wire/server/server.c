/* SPDX-License-Identifier: MIT */
/*
 * The running proxy: one loop a thread, signals on the first.
 *
 *   bind ─► on_bound ─► loops run (HUP: reload.c, USR2: upgrade.c)
 *                           └─ TERM ─► drain: listeners and idle connections close, requests finish ─► stop
 *                                        └─ deadline, second TERM, INT: what is left is cut ─► stop
 */
#include "lib/wire/server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/crash.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/walk/watch.h"
#include "lib/wire/back/resolver.h"
#include "lib/wire/client/client.h"
#include "lib/wire/server/crew.h"
#include "lib/wire/server/listing.h"
#include "lib/wire/server/parts.h"
#include "lib/wire/door/start.h"

enum {
    CHECK_MS = 20,   /* how often a draining loop looks whether it is empty   */
    CUT_CHECKS = 10, /* looks after a cut until exchanges without a client are left to their routers */
};

static const weir_server_settings_t *settings_of(const crew_t *crew)
{
    return crew->newest->super.settings;
}

/* ---- drain ---- */

static bool is_empty(const worker_t *worker)
{
    return worker->loop->connection_count == 0 && weir_exchange_count() == 0;
}

static void on_check(weir_timer_t *timer)
{
    worker_t *worker = WEIR_AROUND(timer, worker_t, check);
    bool gives_up = worker->checks_left > 0 && --worker->checks_left == 0;

    if (is_empty(worker) || gives_up)
        weir_loop_post(worker->crew->workers[0].loop, &worker->emptied);
    else
        weir_timer_set(worker->loop, &worker->check, CHECK_MS, on_check);
}

static void on_emptied(weir_letter_t *letter)
{
    crew_t *crew = WEIR_AROUND(letter, worker_t, emptied)->crew;

    crew->emptied++;
    crew_end_if_idle(crew);
}

static void on_stop(weir_letter_t *letter)
{
    weir_loop_stop(WEIR_AROUND(letter, worker_t, stop)->loop);
}

void crew_end_if_idle(crew_t *crew)
{
    if (crew->is_ending || crew->emptied < crew->count || crew->rounds > 0 || crew->reload.is_building || crew->upgrade.is_busy)
        return;
    crew->is_ending = true;
    listing_close();
    weir_timer_cancel(&crew->deadline);
    for (unsigned i = crew->count; i-- > 0;)
        weir_loop_post(crew->workers[i].loop, &crew->workers[i].stop);
}

static void on_drain(weir_letter_t *letter)
{
    worker_t *worker = WEIR_AROUND(letter, worker_t, drain);

    worker->loop->is_draining = true;
    for (weir_list_t *node = worker->listeners.next; node != &worker->listeners; node = node->next) {
        weir_listener_t *listener = WEIR_AROUND(node, weir_listener_t, link);
        if (!worker->crew->upgrade.has_successor)
            weir_listener_accept_rest(listener);
        weir_listener_stop(listener);
    }
    weir_start_drain_all(worker->loop);
    weir_client_drain_all(worker->loop, NULL);
    on_check(&worker->check);
}

static void on_cut(weir_letter_t *letter)
{
    worker_t *worker = WEIR_AROUND(letter, worker_t, cut);

    if (worker->loop->connection_count > 0)
        atomic_store(&worker->crew->server.has_cut, true);
    worker->loop->is_cut = true;
    weir_start_close_all(worker->loop);
    while (!weir_list_is_empty(&worker->loop->connections)) {
        weir_client_t *client = WEIR_AROUND(worker->loop->connections.next, weir_client_t, link);
        client->ops->close(client);
    }
    weir_exchange_shut_down_all();
    worker->checks_left = CUT_CHECKS;
}

void crew_cut(crew_t *crew)
{
    if (crew->is_cut)
        return;
    crew->reload.must_cut = !crew->is_draining;
    if (crew->reload.must_cut) /* until the drain is allowed to begin */
        return;
    crew->is_cut = true;
    for (unsigned i = 0; i < crew->count; i++)
        weir_loop_post(crew->workers[i].loop, &crew->workers[i].cut);
}

static void on_deadline(weir_timer_t *timer)
{
    crew_t *crew = WEIR_AROUND(timer, crew_t, deadline);

    weir_log("the drain deadline has passed: cutting what is left");
    crew_cut(crew);
}

void crew_drain(crew_t *crew)
{
    if (crew->is_draining)
        return;
    /* A round that brings listeners in and one that closes them must not meet */
    crew->reload.must_drain = crew->reload.is_busy && !crew->reload.is_building;
    if (crew->reload.must_drain)
        return;
    crew->is_draining = true;
    if (crew->hooks->on_drain != NULL)
        crew->hooks->on_drain(crew->hooks->arg);
    if (crew->upgrade.is_busy)
        crew->hooks->give_up_upgrade(crew->hooks->arg);
    weir_timer_set(crew->workers[0].loop, &crew->deadline, settings_of(crew)->drain_timeout_ms, on_deadline);
    for (unsigned i = 0; i < crew->count; i++)
        weir_loop_post(crew->workers[i].loop, &crew->workers[i].drain);
}

/* ---- signals ---- */

static void take_signal(crew_t *crew, uint32_t number)
{
    bool is_now = crew->is_draining || crew->reload.must_drain || number == SIGINT;

    switch (number) {
    case SIGTERM:
    case SIGINT:
        crew_drain(crew);
        if (is_now)
            crew_cut(crew);
        break;
    case SIGUSR1:
        if (crew->hooks->on_reopen != NULL)
            crew->hooks->on_reopen(crew->hooks->arg);
        break;
    case SIGUSR2:
        upgrade_begin(crew);
        break;
    default:
        reload_begin(crew);
        break;
    }
}

static void on_signal(weir_sock_t *sock)
{
    crew_t *crew = WEIR_AROUND(sock, crew_t, signals);
    struct signalfd_siginfo info;

    while (read(sock->fd, &info, sizeof(info)) == sizeof(info))
        take_signal(crew, info.ssi_signo);
}

static void on_signal_writable(weir_sock_t *sock)
{
    /* never written */
}

static sigset_t our_signals(bool has_upgrades)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    if (has_upgrades) /* else it is an application's */
        sigaddset(&set, SIGUSR2);
    return set;
}

void weir_server_block_signals(bool has_upgrades)
{
    sigset_t set = our_signals(has_upgrades);

    WEIR_MUST(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0); /* threads inherit it */
}

static int open_signals(bool has_upgrades)
{
    sigset_t set = our_signals(has_upgrades);

    weir_server_block_signals(has_upgrades);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    WEIR_MUST(fd != -1);
    return fd;
}

/* ---- what the status page asks ---- */

static int foreach_request(h2o_context_t *context, int (*callback)(h2o_req_t *req, void *arg), void *arg)
{
    weir_loop_t *loop = weir_loop_of(context);

    for (weir_list_t *node = loop->connections.next; node != &loop->connections; node = node->next) {
        weir_client_t *client = WEIR_AROUND(node, weir_client_t, link);
        int result = client->ops->foreach_request(client, callback, arg);
        if (result != 0)
            return result;
    }
    return 0;
}

static void request_shutdown(h2o_context_t *context)
{
    /* draining is ours: on_drain */
}

const h2o_protocol_callbacks_t crew_protocol_callbacks = {request_shutdown, foreach_request};

/* ---- threads ---- */

static void init_worker(crew_t *crew, unsigned index)
{
    worker_t *worker = &crew->workers[index];

    worker->crew = crew;
    worker->index = index;
    worker->drain.open = on_drain;
    worker->cut.open = on_cut;
    worker->stop.open = on_stop;
    worker->emptied.open = on_emptied;
    weir_list_init(&worker->drain.link);
    weir_list_init(&worker->cut.link);
    weir_list_init(&worker->stop.link);
    weir_list_init(&worker->emptied.link);
    weir_list_init(&worker->listeners);
}

static void start_worker(worker_t *worker)
{
    worker->loop = weir_loop_create(&worker->crew->server, &weir_loop_parts);
    weir_context_create(&worker->crew->newest->super, worker->loop, worker->index);
    generation_begin(worker->crew->newest, worker);
}

static void *run_worker(void *arg)
{
    worker_t *worker = arg;
    crew_t *crew = worker->crew;

    weir_crash_thread_begin();
    start_worker(worker);
    pthread_mutex_lock(&crew->lock);
    worker->is_ready = true;
    pthread_cond_broadcast(&crew->is_ready);
    pthread_mutex_unlock(&crew->lock);
    weir_watch_join(worker->index + 1, true);
    weir_loop_run(worker->loop);
    weir_watch_part();
    worker->exchanges_left = weir_exchange_count();
    weir_loop_forget_thread();
    weir_crash_thread_end();
    return NULL;
}

/* The main thread's own loop comes first, then one after the other: contexts are made in order, and ended in reverse. */
static void start_crew(crew_t *crew)
{
    for (unsigned i = 0; i < crew->count; i++)
        init_worker(crew, i);
    start_worker(&crew->workers[0]);
    reload_watch(crew->newest);
    for (unsigned i = 1; i < crew->count; i++) {
        h2o_multithread_create_thread(&crew->workers[i].thread, NULL, run_worker, &crew->workers[i]);
        pthread_mutex_lock(&crew->lock);
        while (!crew->workers[i].is_ready)
            pthread_cond_wait(&crew->is_ready, &crew->lock);
        pthread_mutex_unlock(&crew->lock);
    }
}

static void end_listeners(worker_t *worker)
{
    while (!weir_list_is_empty(&worker->listeners)) {
        weir_listener_t *listener = WEIR_AROUND(worker->listeners.next, weir_listener_t, link);
        weir_list_remove(&listener->link);
        weir_listener_release(listener);
    }
}

static void remove_unix_paths(const weir_server_settings_t *settings)
{
    for (size_t i = 0; i < settings->listen_count; i++)
        weir_listener_remove_path(&settings->listens[i]);
}

/* No loop runs any more, and no thread but this one and the keeper's. */
static void end_crew(crew_t *crew)
{
    weir_timer_cancel(&crew->deadline);
    weir_sock_close(&crew->signals);
    for (unsigned i = crew->count; i-- > 0;) {
        end_listeners(&crew->workers[i]);
        if (crew->workers[i].exchanges_left == 0)
            weir_loop_settle(crew->workers[i].loop);
        else
            weir_resolver_settle(crew->workers[i].loop->resolver); /* no thread of ours outlives us */
    }
    for (weir_list_t *node = crew->generations.next; node != &crew->generations; node = node->next) {
        generation_t *generation = WEIR_AROUND(node, generation_t, link);
        for (unsigned i = crew->count; i-- > 0;)
            if (crew->workers[i].exchanges_left == 0)
                weir_context_dispose(&generation->super, i);
            else
                generation->super.contexts[i] = NULL;    /* stays with its loop */
        crew->hooks->retire(generation->super.settings); /* libh2o's pools have a timer in the first loop */
    }
    for (unsigned i = crew->count; i-- > 0;)
        if (crew->workers[i].exchanges_left == 0)
            weir_loop_destroy(&crew->workers[i].loop);
        else
            weir_loop_leave(&crew->workers[i].loop);
    if (!crew->upgrade.has_successor)
        remove_unix_paths(settings_of(crew));
}

static int serve(crew_t *crew, int signal_fd)
{
    start_crew(crew);
    weir_loop_t *loop = crew->workers[0].loop;
    weir_sock_open(&crew->signals, loop, signal_fd, false);
    crew->signals.on_readable = on_signal;
    crew->signals.on_writable = on_signal_writable;
    weir_sock_watch(&crew->signals, true);
    if (crew->hooks->on_serving != NULL)
        crew->hooks->on_serving(crew->hooks->arg);
    listing_open(crew);
    weir_watch_join(1, true);
    weir_loop_run(loop);
    weir_watch_part();
    crew->workers[0].exchanges_left = weir_exchange_count();
    for (unsigned i = 1; i < crew->count; i++)
        pthread_join(crew->workers[i].thread, NULL);
    end_crew(crew);
    return atomic_load(&crew->server.has_cut) ? 3 : 0;
}

static void discard_all(crew_t *crew)
{
    while (!weir_list_is_empty(&crew->generations)) {
        generation_t *generation = WEIR_AROUND(crew->generations.next, generation_t, link);
        const weir_server_settings_t *settings = generation->super.settings;
        weir_list_remove(&generation->link);
        generation_destroy(&generation);
        crew->hooks->discard(settings);
    }
}

/* False, and the settings are discarded, if the proxy cannot start. */
static bool start(crew_t *crew, const weir_server_settings_t *settings)
{
    crew->newest = generation_create(crew, settings, NULL);
    if (crew->newest != NULL) {
        weir_list_append(&crew->generations, &crew->newest->link);
        if (crew->hooks->on_bound == NULL || crew->hooks->on_bound(crew->hooks->arg))
            return true;
        weir_list_remove(&crew->newest->link);
        generation_destroy(&crew->newest);
    }
    crew->hooks->retire(settings);
    crew->hooks->discard(settings);
    return false;
}

int weir_server_run(const weir_server_settings_t *settings, const weir_server_hooks_t *hooks)
{
    crew_t crew = {.hooks = hooks, .count = settings->threads, .server.began_at_s = (int64_t)time(NULL)};

    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.is_ready, NULL);
    weir_keeper_init(&crew.keeper);
    crew.server.tally = weir_tally_create(WEIR_TALLY_MOST);
    weir_list_init(&crew.generations);
    crew.workers = calloc(crew.count, sizeof(*crew.workers));
    WEIR_MUST(crew.workers != NULL);
    int signal_fd = open_signals(hooks->upgrade != NULL), status = 1;
    if (start(&crew, settings))
        status = serve(&crew, signal_fd);
    else
        close(signal_fd);
    weir_keeper_finish(&crew.keeper);
    discard_all(&crew);
    weir_loop_forget_thread();
    weir_tally_destroy(&crew.server.tally);
    free(crew.workers);
    pthread_cond_destroy(&crew.is_ready);
    pthread_mutex_destroy(&crew.lock);
    return status;
}
