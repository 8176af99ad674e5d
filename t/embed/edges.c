/* SPDX-License-Identifier: MIT */
/*
 * An application whose listeners try what weir_accept() has to say no to, or that is rarely asked of it. Every route says 503,
 * as its router does; libh2o's own HTTP/2 is reached at MEMCACHED_PORT; "live" is how many contexts of TLS there are.
 *
 *   edges PEM_FILE PROXY_PORT PROXY_TLS_PORT RENEWING_PORT MEMCACHED_PORT ROUTERLESS_PORT
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define H2O_USE_LIBUV 0
#include <h2o.h>

#include <weir.h>
#include <weir_h2o.h>

static h2o_globalconf_t config, routerless;
static h2o_context_t context, routerless_context;
static h2o_multithread_receiver_t receiver;
static const char *pem_file;
static int live;
static volatile sig_atomic_t must_end;

static const weir_fault_t nobody = {"nobody", 503, WEIR_BLAME_NOBODY, "Nobody is there."};

static weir_answer_t lookup(weir_state_t *state, const weir_request_t *request, weir_span_t domain, weir_q_lookup_t *q)
{
    return weir_lookup_refuse(q, &nobody);
}

static weir_answer_t checkout(weir_state_t *state, const weir_request_t *request, weir_group_t *group, weir_q_checkout_t *q)
{
    return weir_checkout_refuse(q, &nobody);
}

static weir_answer_t backend(weir_state_t *state, const weir_request_t *request, weir_service_t *service, weir_q_backend_t *q)
{
    return weir_backend_at(q, "127.0.0.1", 1);
}

static const weir_router_t router = {
    WEIR_ROUTER("edges"),
    .lookup_domain_name = lookup,
    .checkout_service = checkout,
    .service_backend = backend,
};

static int say_live(h2o_handler_t *self, h2o_req_t *req)
{
    static h2o_generator_t generator;
    h2o_iovec_t body = {h2o_mem_alloc_pool(&req->pool, 16), 0};

    body.len = (size_t)snprintf(body.base, 16, "%d", live);
    req->res.status = 200;
    req->res.reason = "OK";
    req->res.content_length = body.len;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

/* ---- TLS ---- */

static void on_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
    live--;
}

static SSL_CTX *speak_tls(void)
{
    static int index = -1;
    SSL_CTX *ssl_ctx;

    if (index == -1)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_free);
    ssl_ctx = SSL_CTX_new(TLS_server_method());
    live++;
    if (SSL_CTX_use_certificate_chain_file(ssl_ctx, pem_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(ssl_ctx, pem_file, SSL_FILETYPE_PEM) != 1)
        exit(1);
    return ssl_ctx;
}

/* ---- listeners ---- */

static h2o_accept_ctx_t proxy, proxy_tls, renewing, memcached, without;

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock = err == NULL ? h2o_evloop_socket_accept(listener) : NULL;
    h2o_accept_ctx_t *how = listener->data;

    if (sock == NULL)
        return;
    if (how == &renewing)
        how->ssl_ctx = speak_tls();
    if (!weir_accept(how, sock))
        h2o_accept(how, sock); /* it is ours as it was */
    if (how == &renewing)
        SSL_CTX_free(how->ssl_ctx);
}

static h2o_socket_t *listen_on(const char *port, h2o_accept_ctx_t *how)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    h2o_socket_t *listener;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, SOMAXCONN) != 0)
        exit(1);
    listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->data = how;
    h2o_socket_read_start(listener, on_accept);
    return listener;
}

/* ---- a program ---- */

static void on_term(int number)
{
    must_end = 1;
}

static h2o_hostconf_t *configure(h2o_globalconf_t *globalconf)
{
    h2o_hostconf_t *host;

    h2o_config_init(globalconf);
    globalconf->http1.upgrade_to_http2 = 0;
    globalconf->http1.req_timeout = 20000;
    globalconf->max_request_entity_size = 1000;
    host = h2o_config_register_host(globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/live", 0), sizeof(h2o_handler_t))->on_req = say_live;
    return host;
}

static const char directives[] = "weir.access-log: \"-\"\nweir.header-timeout: 500\nweir.idle-timeout: 500\n";

int main(int argc, char **argv)
{
    h2o_socket_t *listeners[5];
    h2o_accept_ctx_t *hows[5] = {&proxy, &proxy_tls, &renewing, &memcached, &without};

    if (argc != 7)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    pem_file = argv[1];
    configure(&routerless);
    if (weir_register(h2o_config_register_path(configure(&config), "/", 0), &router, NULL, directives) != 0)
        return 1;
    config.http1.upgrade_to_http2 = 1;
    h2o_context_init(&context, h2o_evloop_create(), &config);
    h2o_context_init(&routerless_context, context.loop, &routerless);
    proxy = proxy_tls = renewing = memcached = (h2o_accept_ctx_t){.ctx = &context, .hosts = config.hosts};
    without = (h2o_accept_ctx_t){.ctx = &routerless_context, .hosts = routerless.hosts};
    proxy.expect_proxy_line = proxy_tls.expect_proxy_line = 1;
    proxy_tls.ssl_ctx = speak_tls();
    memcached.libmemcached_receiver = &receiver;
    for (int i = 0; i < 5; i++)
        listeners[i] = listen_on(argv[2 + i], hows[i]);
    while (!must_end)
        h2o_evloop_run(context.loop, 1000);
    for (int i = 0; i < 5; i++)
        h2o_socket_close(listeners[i]);
    while (weir_drain(&context) > 0 || !h2o_linklist_is_empty(&context.http1._conns) ||
           !h2o_linklist_is_empty(&context.http2._conns) || !h2o_linklist_is_empty(&routerless_context.http1._conns))
        h2o_evloop_run(context.loop, 20);
    h2o_context_dispose(&routerless_context);
    h2o_context_dispose(&context);
    h2o_config_dispose(&routerless);
    h2o_config_dispose(&config);
    SSL_CTX_free(proxy_tls.ssl_ctx);
    return live == 0 ? 0 : 4; /* every hold on a context of TLS was let go */
}
