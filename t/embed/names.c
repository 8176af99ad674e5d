/* SPDX-License-Identifier: MIT */
/*
 * An application whose backend has a name: "localhost", at BACKEND_PORT. Each SIGUSR1 ends its context and makes another: who
 * finds out names ends with the one and begins with the other.
 *
 *   names PORT BACKEND_PORT
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#define H2O_USE_LIBUV 0
#include <h2o.h>

#include <weir.h>
#include <weir_h2o.h>

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_ctx;
static uint16_t backend_port;
static volatile sig_atomic_t must_end, must_renew;

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_found(q, NULL);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_pick(q, NULL);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "localhost", backend_port);
}

static const weir_router_t router = {
    WEIR_ROUTER("names"),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
};

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock = err == NULL ? h2o_evloop_socket_accept(listener) : NULL;

    if (sock != NULL && !weir_accept(&accept_ctx, sock))
        h2o_socket_close(sock);
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, SOMAXCONN) != 0)
        exit(1);
    return fd;
}

static void on_signal(int number)
{
    if (number == SIGTERM)
        must_end = 1;
    must_renew = 1;
}

static void serve(const char *port, h2o_loop_t *loop)
{
    h2o_multithread_queue_t *queue;
    h2o_socket_t *listener;

    h2o_context_init(&context, loop, &config);
    queue = context.queue;
    accept_ctx = (h2o_accept_ctx_t){.ctx = &context, .hosts = config.hosts};
    listener = h2o_evloop_socket_create(loop, listen_on(port), H2O_SOCKET_FLAG_DONT_READ);
    h2o_socket_read_start(listener, on_accept);
    while (!must_renew)
        h2o_evloop_run(loop, 100);
    must_renew = must_end;
    h2o_socket_close(listener);
    while (weir_drain(&context) > 0)
        h2o_evloop_run(loop, 20);
    h2o_context_dispose(&context);
    free(queue); /* libh2o 2.2.5 forgets to */
}

int main(int argc, char **argv)
{
    h2o_loop_t *loop = h2o_evloop_create();
    h2o_hostconf_t *host;

    if (argc != 3)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGUSR1, on_signal);
    backend_port = (uint16_t)atoi(argv[2]);
    h2o_config_init(&config);
    config.http1.upgrade_to_http2 = 0;
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    if (weir_register(h2o_config_register_path(host, "/", 0), &router, NULL, "weir.access-log: OFF") != 0)
        return 1;
    while (!must_end)
        serve(argv[1], loop);
    h2o_config_dispose(&config);
    return 0;
}
