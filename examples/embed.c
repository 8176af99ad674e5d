/* SPDX-License-Identifier: MIT */
/*
 * Weir inside a program of one's own on libh2o: its handler, a directory of files, and a path that Weir relays.
 *
 *   embed STOCK_PORT WEIR_PORT BACKEND_PORT DIRECTORY [TLS_PORT PEM_FILE]
 *
 * The same paths are reachable by libh2o's own front (STOCK_PORT), by Weir's (WEIR_PORT), and by Weir's with TLS (TLS_PORT; the
 * file holds a certificate and its key). SIGTERM ends it.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define H2O_USE_LIBUV 0
#include <h2o.h>

#include <weir.h>
#include <weir_h2o.h>

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t plain, tls;
static volatile sig_atomic_t must_end;

/* ---- a router ---- */

struct weir_shared {
    uint16_t port;
};
struct weir_state {
    weir_shared_t *shared;
};

static weir_answer_t init(weir_state_t *state, const weir_request_t *request, weir_shared_t *shared, weir_q_init_t *q)
{
    state->shared = shared;
    return weir_init_done(q);
}

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
    weir_backend_keepalive(q, WEIR_REUSE);
    return weir_backend_at(q, "127.0.0.1", state->shared->port);
}

static const weir_router_t router = {
    WEIR_ROUTER("embed"),         .state_size = sizeof(weir_state_t), .init = init,
    .lookup_domain_name = lookup, .checkout_service = checkout,       .service_backend = backend,
};

/* ---- a handler ---- */

/* Answers with the body that it was sent. */
static int echo(h2o_handler_t *self, h2o_req_t *req)
{
    static h2o_generator_t generator;
    h2o_iovec_t body = h2o_strdup(&req->pool, req->entity.base != NULL ? req->entity.base : "", req->entity.len);

    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = body.len;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, body.len > 0, H2O_SEND_STATE_FINAL);
    return 0;
}

/* ---- listeners ---- */

static void on_stock_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock = err == NULL ? h2o_evloop_socket_accept(listener) : NULL;

    if (sock != NULL)
        h2o_accept(listener->data, sock);
}

static void on_weir_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock = err == NULL ? h2o_evloop_socket_accept(listener) : NULL;

    if (sock != NULL && !weir_accept(listener->data, sock))
        h2o_socket_close(sock);
}

static h2o_socket_t *listen_on(const char *port, h2o_socket_cb on_accept, h2o_accept_ctx_t *accept_ctx)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    h2o_socket_t *listener;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, SOMAXCONN) != 0) {
        perror(port);
        exit(1);
    }
    listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->data = accept_ctx;
    h2o_socket_read_start(listener, on_accept);
    return listener;
}

static SSL_CTX *speak_tls(const char *pem_file)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

    if (SSL_CTX_use_certificate_chain_file(ssl_ctx, pem_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(ssl_ctx, pem_file, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "%s: not a certificate and its key in PEM\n", pem_file);
        exit(1);
    }
    h2o_ssl_register_alpn_protocols(ssl_ctx, h2o_alpn_protocols); /* h2 is safe on Weir's fronts */
    return ssl_ctx;
}

/* ---- a program ---- */

static void on_term(int number)
{
    must_end = 1;
}

/* 0, or -1 if Weir has refused; it has said why. */
static int set_up(h2o_hostconf_t *host, weir_shared_t *shared, const char *directory)
{
    h2o_pathconf_t *path;

    h2o_file_register(h2o_config_register_path(host, "/files", 0), directory, NULL, NULL, 0);
    path = h2o_config_register_path(host, "/echo", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = echo;
    weir_collect_bodies(path, 1 << 20);
    return weir_register(h2o_config_register_path(host, "/", 0), &router, shared,
                         "weir.connect-timeout: 1000\nweir.via: 1.1 embed\nweir.access-log: \"-\"\n");
}

static void serve(void)
{
    while (!must_end) {
        h2o_evloop_run(context.loop, 1000);
        h2o_filecache_clear(context.filecache); /* else files would be served as they once were */
    }
}

static void shut_down(h2o_socket_t **listeners)
{
    for (; *listeners != NULL; listeners++)
        h2o_socket_close(*listeners);
    /* libh2o's own idle connections end by its timeout, which is http1.req_timeout. */
    while (weir_drain(&context) > 0 || !h2o_linklist_is_empty(&context.http1._conns))
        h2o_evloop_run(context.loop, 20);
    h2o_context_dispose(&context);
    h2o_config_dispose(&config);
    SSL_CTX_free(tls.ssl_ctx);
}

int main(int argc, char **argv)
{
    weir_shared_t shared;
    h2o_hostconf_t *host;
    h2o_socket_t *listeners[4] = {NULL};

    if (argc != 5 && argc != 7) {
        fprintf(stderr, "usage: %s STOCK_PORT WEIR_PORT BACKEND_PORT DIRECTORY [TLS_PORT PEM_FILE]\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    shared.port = (uint16_t)atoi(argv[3]);
    h2o_config_init(&config);
    config.http1.upgrade_to_http2 = 0; /* libh2o's HTTP/2 of this version should not be reachable by strangers */
    config.handshake_timeout = config.http1.req_timeout = 3000; /* ms; in force on Weir's fronts too */
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    if (set_up(host, &shared, argv[4]) != 0)
        return 1;

    h2o_context_init(&context, h2o_evloop_create(), &config);
    plain = tls = (h2o_accept_ctx_t){.ctx = &context, .hosts = config.hosts};
    listeners[0] = listen_on(argv[1], on_stock_accept, &plain);
    listeners[1] = listen_on(argv[2], on_weir_accept, &plain);
    if (argc == 7) {
        tls.ssl_ctx = speak_tls(argv[6]);
        listeners[2] = listen_on(argv[5], on_weir_accept, &tls);
    }
    serve();
    shut_down(listeners);
    return 0;
}
