/* SPDX-License-Identifier: MIT */
/*
 * Clients and backends in one process, with a proxy between them: many requests of every kind, backends that misbehave, clients
 * that leave. What request N is, how its backend behaves and what must come of it follows from the seed and N, so both ends
 * know it and every byte is looked at on either side.
 *
 *   mixed SEED REQUESTS CONNECTIONS SECONDS LEDGER
 *
 * Prints "ports A STALE DEAD", waits for a line with the proxy's port, runs, prints a summary. Exit 0: nothing was wrong.
 * LEDGER gets a line "N must|may STATUS" for each request: whether it has reached the proxy for certain, and what its client
 * was told.
 *
 * Hosts: plain, deep (end to end 100-continue), none (no keep-alive), retry (DEAD, then A), dead (DEAD), stale (STALE), quiet
 * (short timeouts).
 */
#define _GNU_SOURCE
#include "mixed_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

world_t world;

/* ---- sockets ---- */

static void flush(conn_t *conn)
{
    while (count_of(&conn->out) > 0 && !conn->has_broken && !conn->is_gone) {
        size_t most = conn->trickles ? TRICKLE_BYTES : count_of(&conn->out);
        if (conn->abort_written - conn->written < most)
            most = (size_t)(conn->abort_written - conn->written);
        if (most > count_of(&conn->out))
            most = count_of(&conn->out);
        ssize_t count = most == 0 ? 0 : write(conn->fd, conn->out.at + conn->out.start, most);
        if (count < 0 && errno == EAGAIN)
            return;
        conn->has_broken = count < 0;
        if (count > 0) {
            conn->out.start += (size_t)count;
            conn->written += (size_t)count;
            conn->moved_at_ms = now_ms();
        }
        if (conn->is_client && conn->written == conn->abort_written) {
            session_abort(conn);
            return;
        }
        if (conn->trickles)
            return;
    }
    if (conn->is_client || conn->is_gone || count_of(&conn->out) > 0)
        return;
    if (conn->resets_behind_out)
        conn_close(conn, true);
    else if (conn->ends_behind_out && (conn->has_ended || !conn->is_drained))
        conn_close(conn, false);
    else if (conn->ends_behind_out)
        shutdown(conn->fd, SHUT_WR);
}

static void on_readable(conn_t *conn)
{
    size_t room = conn->is_slow ? SLOW_BYTES : READ_BYTES;

    if (conn->abort_received - conn->received < room)
        room = (size_t)(conn->abort_received - conn->received) + 1;
    ssize_t count = read(conn->fd, reserve(&conn->in, room), room);
    if (count < 0 && errno == EAGAIN)
        return;
    conn->moved_at_ms = now_ms();
    if (count > 0) {
        conn->in.end += (size_t)count;
        conn->received += (size_t)count;
        if (conn->is_client)
            client_process(conn);
        else
            backend_process(conn);
        if (!conn->is_gone && conn->is_client && conn->received > conn->abort_received)
            session_abort(conn);
        return;
    }
    conn->has_ended = true;
    conn->has_broken = conn->has_broken || count < 0;
    if (conn->is_client)
        client_ended(conn);
    else
        backend_ended(conn);
}

static void on_event(conn_t *conn, uint32_t events)
{
    int fd;

    if (conn->is_listener) {
        while ((fd = accept4(conn->fd, NULL, NULL, SOCK_NONBLOCK)) != -1)
            conn_create(fd, false)->trickles = (mix((uint64_t)fd + world.finished) & 31) == 0;
        return;
    }
    if (!conn->is_gone && (events & EPOLLOUT) != 0)
        flush(conn);
    if (!conn->is_gone && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !conn->has_ended)
        on_readable(conn);
    if (!conn->is_gone)
        flush(conn);
    update(conn);
}

/* The slow ones have their turn, the dead ones are freed, those that hang are told about. */
static void sweep(void)
{
    int64_t now = now_ms();

    for (conn_t **link = &world.conns; *link != NULL;) {
        conn_t *conn = *link;
        if (conn->is_gone) {
            *link = conn->next;
            free(conn->in.at);
            free(conn->out.at);
            free(conn);
            continue;
        }
        link = &conn->next;
        if (conn->is_slow || conn->trickles)
            on_event(conn, EPOLLIN);
        if (!conn->is_gone && conn->is_client && now - conn->moved_at_ms > HANG_MS) {
            complain(conn, "nothing for %d s", HANG_MS / 1000);
            session_abort(conn);
        }
    }
}

static void run(unsigned connections, int64_t until_ms)
{
    struct epoll_event events[EVENTS];

    while (world.finished < world.requests) {
        while (world.clients < connections && world.next < world.requests) {
            uint64_t count = 1 + mix(world.next + 99) % SESSION_MOST, first = world.next;
            world.next = first + count < world.requests ? first + count : world.requests;
            session_start(first, world.next);
        }
        int count = epoll_wait(world.epoll, events, EVENTS, 1);
        for (int i = 0; i < count; i++)
            on_event(events[i].data.ptr, events[i].events);
        sweep();
        if (now_ms() > until_ms) {
            fprintf(stderr, "%" PRIu64 " of %" PRIu64 " requests when the time was over\n", world.finished, world.requests);
            world.complaints++;
            return;
        }
    }
}

static void write_ledger(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    for (uint64_t id = 0; id < world.requests; id++) {
        const record_t *record = &world.records[id];
        if (record->is_started)
            fprintf(file, "%" PRIu64 " %s %u\n", id, record->is_seen || record->is_answered ? "must" : "may", record->status);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    uint16_t port, stale_port, dead_port;
    char line[32];

    if (argc != 6) {
        fputs("usage: mixed SEED REQUESTS CONNECTIONS SECONDS LEDGER\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    mixed_seed = strtoull(argv[1], NULL, 10);
    world.requests = strtoull(argv[2], NULL, 10);
    world.records = calloc(world.requests + 1, sizeof(*world.records));
    world.epoll = epoll_create1(0);
    conn_create(listen_on(&port, false), false)->is_listener = true;
    conn_create(listen_on(&stale_port, false), false)->is_listener = true;
    listen_on(&dead_port, true);
    printf("ports %u %u %u\n", port, stale_port, dead_port);
    fflush(stdout);
    if (world.records == NULL || fgets(line, sizeof(line), stdin) == NULL)
        return 2;
    world.proxy_port = (uint16_t)atoi(line);
    int64_t begin = now_ms();
    run((unsigned)atoi(argv[3]), begin + 1000 * atoll(argv[4]));
    write_ledger(argv[5]);
    printf("requests=%" PRIu64 " complete=%" PRIu64 " pages=%" PRIu64 " cut=%" PRIu64 " aborted=%" PRIu64 " tunnels=%" PRIu64
           " complaints=%" PRIu64 " ms=%" PRId64 "\n",
           world.requests, world.complete, world.pages, world.cut, world.aborted, world.tunnels, world.complaints,
           now_ms() - begin);
    return world.complaints == 0 ? 0 : 1;
}
