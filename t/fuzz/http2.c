/* SPDX-License-Identifier: MIT */
/*
 * Any bytes behind HTTP/2's preface, into a real front on a real loop: nothing is read too far, nothing leaks, and when the
 * client is gone so are its streams and exchanges.
 *
 *   first byte   how many bytes are sent at a time (0: all), second: bit 0: the client reads nothing; bit 1: no SETTINGS of
 *                ours first
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/snapshot.h"
#include "conf/yaml.h"
#include "lib/base/must.h"
#include "lib/walk/exchange.h"
#include "lib/wire/server/parts.h"
#include "lib/wire/client/client.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/client/listener.h"
#include "lib/wire/door/fronts.h"

enum { TURNS = 12, TURNS_MOST = 2000, ALL_AT_ONCE = 65536, READS_NOTHING = 1, SAYS_NOTHING_FIRST = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static const char text[] = "hosts:\n"
                           "  default:\n"
                           "    paths:\n"
                           "      /:\n"
                           "        weir.router: { module: stub, backends: [ \"unix:/nonexistent/weir\" ] }\n"
                           "        weir.router-timeout: 100\n"
                           "      /r:\n"
                           "        redirect: http://b.test/\n"
                           "      /f:\n"
                           "        file.dir: t/fuzz\n"
                           "listen: 1\n";

static conf_t *conf;
static weir_server_settings_t settings;
static weir_server_t server;
static weir_loop_t *loop;
static weir_generation_t generation;
static weir_listen_t listen_at;
static weir_listener_t listener;

static void set_up(void)
{
    yoml_t *document = conf_yaml_parse((weir_span_t){text, sizeof(text) - 1}, "fuzz");

    conf = conf_create("fuzz", false);
    WEIR_MUST(document != NULL && conf_apply(conf, &document));
    settings = (weir_server_settings_t){
        .globalconf = &conf->globalconf,
        .threads = 1,
        .max_connections = 10,
        .head_limits = conf->head_limits,
        .header_timeout_ms = 1000,
        .idle_timeout_ms = 1000,
        .max_body_bytes = UINT64_MAX,
        .max_trailer_bytes = 16384,
        .has_proxy_status = true,
    };
    listen_at.hosts = conf->globalconf.hosts;
    signal(SIGPIPE, SIG_IGN);
    loop = weir_loop_create(&server, &weir_loop_parts);
    weir_generation_init(&generation, &settings, 1);
    weir_context_create(&generation, loop, 0);
    weir_loop_use(loop, generation.contexts[0]);
    listener = (weir_listener_t){.loop = loop, .listen = &listen_at, .port = 80, .holders = 1};
}

/* One letter that comes back each turn keeps the loop from sleeping, and ends it. */
static weir_letter_t ticket;
static unsigned turns_left;

static void on_turn(weir_letter_t *letter)
{
    if (turns_left-- == 0)
        weir_loop_stop(loop);
    else
        weir_loop_post(loop, letter);
}

static void run(unsigned turns)
{
    turns_left = turns;
    ticket.open = on_turn;
    weir_list_init(&ticket.link);
    loop->is_stopped = false;
    weir_loop_post(loop, &ticket);
    weir_loop_run(loop);
}

static void drain(int fd)
{
    char buffer[65536];

    while (read(fd, buffer, sizeof(buffer)) > 0)
        continue;
}

static void say(int fd, const void *bytes, size_t count, size_t at_a_time, bool reads)
{
    const char *at = bytes;

    while (count > 0) {
        size_t part = count < at_a_time ? count : at_a_time;
        ssize_t sent = write(fd, at, part);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent > 0) {
            at += sent;
            count -= (size_t)sent;
        } else if (!reads) {
            return; /* both sides wait for the other */
        }
        run(TURNS);
        if (reads)
            drain(fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const char own[] = "\0\0\0\4\0\0\0\0\0";
    const struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    int fds[2];

    if (length < 2)
        return 0;
    if (loop == NULL)
        set_up();
    WEIR_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    weir_sock_t sock = {0};
    weir_peer_t peer;
    size_t at_a_time = input[0] == 0 ? ALL_AT_ONCE : input[0];
    bool reads = (input[1] & READS_NOTHING) == 0;
    if (length / at_a_time > 500)
        at_a_time = length / 500;
    atomic_fetch_add(&server.connections, 1);
    weir_peer_init(&peer, (const struct sockaddr *)&nobody, &listener);
    weir_sock_open(&sock, loop, fds[0], true);
    weir_client_begin(loop, &sock, &peer, &listen_at, WEIR_ALPN_H2);
    say(fds[1], preface, sizeof(preface) - 1, sizeof(preface), reads);
    if ((input[1] & SAYS_NOTHING_FIRST) == 0)
        say(fds[1], own, sizeof(own) - 1, sizeof(own), reads);
    say(fds[1], input + 2, length - 2, at_a_time, reads);
    close(fds[1]);
    for (unsigned i = 0; i < TURNS_MOST && (loop->connection_count > 0 || weir_exchange_count() > 0); i++)
        run(1);
    WEIR_MUST(loop->connection_count == 0 && atomic_load(&server.connections) == 0);
    WEIR_MUST(weir_exchange_count() == 0);
    return 0;
}
