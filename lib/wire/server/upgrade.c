/* SPDX-License-Identifier: MIT */
/*
 * Another process takes over while requests run.
 *
 *   USR2 ─► a round: copies of all listening sockets ─► keeper: start the successor, wait until it serves ─► drain
 *             └─ failed ─► all is as it was
 *
 * Both accept from the same queues meanwhile: whoever waits in one is served by one of them. No reload goes on beside it: a
 * HUP that comes meanwhile has its turn if the successor does not come.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/wire/server/crew.h"

static void forget_sockets(crew_t *crew)
{
    for (size_t i = 0; i < crew->upgrade.count; i++)
        close(crew->upgrade.sockets[i].fd);
    free(crew->upgrade.sockets);
    crew->upgrade.sockets = NULL;
    crew->upgrade.count = 0;
}

static void end_upgrade(crew_t *crew)
{
    forget_sockets(crew);
    crew->upgrade.is_busy = false;
    crew->hooks->on_upgraded(crew->hooks->arg, crew->upgrade.has_successor);
    if (crew->upgrade.has_successor)
        crew_drain(crew);
    else if (crew->reload.is_again && !crew->is_draining)
        reload_begin(crew);
    crew_end_if_idle(crew);
}

static void on_over(weir_letter_t *letter)
{
    end_upgrade(WEIR_AROUND(letter, crew_t, upgrade.over));
}

/* On the keeper's thread. */
static void on_start(weir_job_t *job)
{
    crew_t *crew = WEIR_AROUND(job, crew_t, upgrade.job);

    crew->upgrade.has_successor = crew->hooks->upgrade(crew->hooks->arg, crew->upgrade.sockets, crew->upgrade.count);
    weir_loop_post(crew->workers[0].loop, &crew->upgrade.over);
}

/* The worker's own may be closed by a drain while the successor is started. */
static void copy_sockets(round_t *round, worker_t *worker)
{
    crew_t *crew = round->crew;

    for (weir_list_t *node = worker->listeners.next; node != &worker->listeners; node = node->next) {
        const weir_listener_t *listener = WEIR_AROUND(node, weir_listener_t, link);
        const int fd = weir_sock_is_open(&listener->sock) ? fcntl(listener->sock.fd, F_DUPFD_CLOEXEC, 0) : -1;

        crew->upgrade.is_whole = crew->upgrade.is_whole && fd != -1;
        if (fd == -1)
            continue;
        crew->upgrade.sockets = realloc(crew->upgrade.sockets, (crew->upgrade.count + 1) * sizeof(*crew->upgrade.sockets));
        WEIR_MUST(crew->upgrade.sockets != NULL);
        crew->upgrade.sockets[crew->upgrade.count++] = (weir_handed_t){.fd = fd, .listen = listener->listen};
    }
}

static void on_copied(round_t *round)
{
    crew_t *crew = round->crew;

    if (crew->upgrade.is_whole && !crew->is_draining) {
        weir_keeper_post(&crew->keeper, &crew->upgrade.job, on_start);
        return;
    }
    if (!crew->is_draining)
        weir_log("upgrade: the listening sockets cannot be handed over: too many open files");
    end_upgrade(crew);
}

void upgrade_begin(crew_t *crew)
{
    if (crew->is_draining || crew->reload.must_drain) {
        weir_log("USR2 is ignored: the proxy is draining");
        return;
    }
    crew->upgrade.is_wanted = crew->reload.is_busy && !crew->upgrade.is_busy;
    if (crew->reload.is_busy || crew->upgrade.is_busy)
        return;
    crew->upgrade.is_busy = crew->upgrade.is_whole = true;
    crew->upgrade.over.open = on_over;
    weir_list_init(&crew->upgrade.over.link);
    crew->hooks->on_reloading(crew->hooks->arg);
    round_start(&crew->upgrade.round, crew, false, copy_sockets, on_copied);
}
