/* SPDX-License-Identifier: MIT */
/**
 * The running proxy: one loop a thread, signals on the first.
 *
 *   bind ─► on_bound ─► loops run ─TERM─► drain: listeners close, idle connections close, requests finish ─► stop
 *                                           └─ deadline, second TERM, INT: what is left is cut ─► stop
 */
#include "lib/wire/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/wire/client.h"
#include "lib/wire/server_private.h"
#include "lib/wire/start.h"

enum {
    CHECK_MS = 20,   /* how often a draining loop looks whether it is empty   */
    CUT_CHECKS = 10, /* looks after a cut until exchanges without a client are left to their routers */
};

/** One thread. */
typedef struct worker {
    weir_server_t *server;
    weir_loop_t *loop;
    pthread_t thread;
    weir_listener_t *listeners;
    size_t index;
    bool is_ready;
    weir_letter_t drain, cut; /* from the main thread */
    weir_timer_t check;
    unsigned checks_left; /* after a cut; 0: none yet */
} worker_t;

typedef struct crew {
    weir_server_t server;
    worker_t *workers;
    unsigned count;
    int *fds; /* [listen][worker] */
    pthread_mutex_t lock;
    pthread_cond_t is_ready;
    weir_sock_t signals;
    weir_timer_t deadline;
    bool is_draining, is_cut;
} crew_t;

static crew_t *crew_of(weir_server_t *server)
{
    return WEIR_AROUND(server, crew_t, server);
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
    if (is_empty(worker) || gives_up) {
        if (worker->index == 0)
            weir_timer_cancel(&crew_of(worker->server)->deadline);
        weir_loop_stop(worker->loop);
        return;
    }
    weir_timer_set(worker->loop, &worker->check, CHECK_MS, on_check);
}

/** Each may end the client that it is called with, and no other. */
static void drain_client(weir_client_t *client)
{
    client->ops->drain(client);
}

static void close_client(weir_client_t *client)
{
    client->ops->close(client);
}

static void for_each_client(weir_loop_t *loop, void (*what)(weir_client_t *client))
{
    weir_list_t *node = loop->connections.next;
    while (node != &loop->connections) {
        weir_list_t *next = node->next;
        what(WEIR_AROUND(node, weir_client_t, link));
        node = next;
    }
}

static void on_drain(weir_letter_t *letter)
{
    worker_t *worker = WEIR_AROUND(letter, worker_t, drain);
    worker->loop->is_draining = true;
    for (size_t i = 0; i < worker->server->settings->listen_count; i++)
        weir_listener_stop(&worker->listeners[i]);
    weir_start_close_all(worker->loop);
    for_each_client(worker->loop, drain_client);
    on_check(&worker->check);
}

static void on_cut(weir_letter_t *letter)
{
    worker_t *worker = WEIR_AROUND(letter, worker_t, cut);
    if (worker->loop->connection_count > 0)
        atomic_store(&worker->server->has_cut, true);
    worker->loop->is_cut = true;
    for_each_client(worker->loop, close_client);
    worker->checks_left = CUT_CHECKS;
}

static void cut(crew_t *crew)
{
    if (crew->is_cut)
        return;
    crew->is_cut = true;
    for (unsigned i = 0; i < crew->count; i++)
        weir_loop_post(crew->workers[i].loop, &crew->workers[i].cut);
}

static void on_deadline(weir_timer_t *timer)
{
    crew_t *crew = WEIR_AROUND(timer, crew_t, deadline);
    weir_log("the drain deadline has passed: cutting what is left");
    cut(crew);
}

static void drain(crew_t *crew)
{
    const weir_server_settings_t *settings = crew->server.settings;
    if (crew->is_draining)
        return;
    crew->is_draining = true;
    if (settings->on_drain != NULL)
        settings->on_drain(settings->arg);
    weir_timer_set(crew->workers[0].loop, &crew->deadline, settings->drain_timeout_ms, on_deadline);
    for (unsigned i = 0; i < crew->count; i++)
        weir_loop_post(crew->workers[i].loop, &crew->workers[i].drain);
}

void weir_server_on_connection_closed(weir_loop_t *loop)
{
    atomic_fetch_sub(&loop->server->connections, 1);
}

/* ---- signals ---- */

static void on_signal(weir_sock_t *sock)
{
    crew_t *crew = WEIR_AROUND(sock, crew_t, signals);
    const weir_server_settings_t *settings = crew->server.settings;
    struct signalfd_siginfo info;
    while (read(sock->fd, &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT: {
            bool is_now = crew->is_draining || info.ssi_signo == SIGINT;
            drain(crew);
            if (is_now)
                cut(crew);
            break;
        }
        case SIGUSR1:
            if (settings->on_reopen != NULL)
                settings->on_reopen(settings->arg);
            break;
        default:
            weir_log("signal %u is ignored: the configuration is read at start only", info.ssi_signo);
            break;
        }
    }
}

static void on_signal_writable(weir_sock_t *sock)
{
    /* never written */
}

static sigset_t our_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

void weir_server_block_signals(void)
{
    sigset_t set = our_signals();
    WEIR_MUST(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0); /* threads inherit it */
}

static int open_signals(void)
{
    sigset_t set = our_signals();
    weir_server_block_signals();
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    WEIR_MUST(fd != -1);
    return fd;
}

/* ---- what libh2o's status handler asks ---- */

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

/* ---- threads ---- */

static void start_worker(worker_t *worker)
{
    crew_t *crew = crew_of(worker->server);
    const weir_server_settings_t *settings = worker->server->settings;
    worker->loop = weir_loop_create(settings, worker->server);
    worker->drain.open = on_drain;
    worker->cut.open = on_cut;
    weir_list_init(&worker->drain.link);
    weir_list_init(&worker->cut.link);
    worker->listeners = calloc(settings->listen_count, sizeof(weir_listener_t));
    WEIR_MUST(worker->listeners != NULL);
    for (size_t i = 0; i < settings->listen_count; i++)
        weir_listener_start(&worker->listeners[i], worker->loop, &settings->listens[i],
                            crew->fds[i * crew->count + worker->index]);
}

static void end_worker(worker_t *worker)
{
    free(worker->listeners);
    if (weir_exchange_count() == 0)
        weir_loop_destroy(&worker->loop);
    else
        weir_loop_leave(&worker->loop);
}

static void *run_worker(void *arg)
{
    worker_t *worker = arg;
    crew_t *crew = crew_of(worker->server);
    start_worker(worker);
    pthread_mutex_lock(&crew->lock);
    worker->is_ready = true;
    pthread_cond_broadcast(&crew->is_ready);
    pthread_mutex_unlock(&crew->lock);
    weir_loop_run(worker->loop);
    end_worker(worker);
    return NULL;
}

/** The main thread's own loop comes first; signals may be delivered only when every loop can be posted to. */
static void start_crew(crew_t *crew)
{
    for (unsigned i = 0; i < crew->count; i++) {
        crew->workers[i].server = &crew->server;
        crew->workers[i].index = i;
    }
    start_worker(&crew->workers[0]);
    for (unsigned i = 1; i < crew->count; i++)
        h2o_multithread_create_thread(&crew->workers[i].thread, NULL, run_worker, &crew->workers[i]);
    pthread_mutex_lock(&crew->lock);
    for (unsigned i = 1; i < crew->count; i++)
        while (!crew->workers[i].is_ready)
            pthread_cond_wait(&crew->is_ready, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}

static bool bind_all(crew_t *crew)
{
    const weir_server_settings_t *settings = crew->server.settings;
    crew->fds = calloc(settings->listen_count * crew->count, sizeof(int));
    WEIR_MUST(crew->fds != NULL);
    for (size_t i = 0; i < settings->listen_count; i++)
        if (weir_listener_bind(&settings->listens[i], crew->count, &crew->fds[i * crew->count]) != 0)
            return false;
    return true;
}

static void remove_unix_paths(const weir_server_settings_t *settings)
{
    for (size_t i = 0; i < settings->listen_count; i++)
        if (settings->listens[i].address.ss_family == AF_UNIX)
            unlink(((const struct sockaddr_un *)&settings->listens[i].address)->sun_path);
}

static int serve(crew_t *crew, int signal_fd)
{
    start_crew(crew);
    weir_loop_t *loop = crew->workers[0].loop;
    weir_sock_open(&crew->signals, loop, signal_fd, false);
    crew->signals.on_readable = on_signal;
    crew->signals.on_writable = on_signal_writable;
    weir_sock_watch(&crew->signals, true);
    weir_loop_run(loop);
    for (unsigned i = 1; i < crew->count; i++)
        pthread_join(crew->workers[i].thread, NULL);
    weir_sock_close(&crew->signals);
    weir_timer_cancel(&crew->deadline);
    end_worker(&crew->workers[0]);
    remove_unix_paths(crew->server.settings);
    return atomic_load(&crew->server.has_cut) ? 3 : 0;
}

int weir_server_run(const weir_server_settings_t *settings)
{
    crew_t crew = {.server = {.settings = settings}, .count = settings->threads};
    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.is_ready, NULL);
    crew.workers = calloc(crew.count, sizeof(*crew.workers));
    WEIR_MUST(crew.workers != NULL);
    settings->globalconf->http1.callbacks = (h2o_protocol_callbacks_t){request_shutdown, foreach_request};
    int signal_fd = open_signals(), status = 1;
    if (bind_all(&crew) && (settings->on_bound == NULL || settings->on_bound(settings->arg)))
        status = serve(&crew, signal_fd);
    free(crew.workers);
    free(crew.fds);
    pthread_cond_destroy(&crew.is_ready);
    pthread_mutex_destroy(&crew.lock);
    return status;
}
