/* SPDX-License-Identifier: MIT */
#ifndef WEIR_H2O_H
#define WEIR_H2O_H
/**
 * @file  Weir inside an application that uses libh2o 2.2 (its evloop) by itself.
 *
 * The application has its own h2o_globalconf_t, contexts, loops and listeners. On some paths it registers a router; requests
 * that come there walk through Weir. See docs/embedding.md for a whole program.
 *
 * Two ways in lead to a path:
 *
 *   h2o_accept()    libh2o's own fronts. The body is buffered whole before a router sees the request, 100-continue is answered
 *                   by the front, no trailers, no interim responses, and the limits and timers of the front are libh2o's.
 *                   There is no switch of protocols: a request that asks for one goes on as an ordinary request, without
 *                   Upgrade (RFC 9110 §7.8 lets a server ignore it), and a 101 that a backend sends all the same is a 502. So
 *                   WebSockets fail there.
 *   weir_accept()   Weir's fronts for HTTP/1 and HTTP/2, in plain and with TLS: everything streams, with Weir's limits;
 *                   upgrades are tunnels, WebSockets over HTTP/2 too.
 *
 * THREADS  weir_register() before the globalconf's first context. A context is made, run and disposed of on one thread; there
 *          may be one on each of several. The rest is called there.
 */
#include <stdbool.h>

#include "weir_router.h"

struct st_h2o_pathconf_t; /* h2o_pathconf_t, and so on: <h2o.h> need not come first */
struct st_h2o_context_t;
struct st_h2o_accept_ctx_t;
struct st_h2o_socket_t;

/**
 * Has `router` serve the requests on `path`. `directives` is YAML, what could stand at a path of weir.conf(5)
 * ("weir.connect-timeout: 300"), or NULL; with `weir.router: …` there, router is NULL. Lines in the access log are off unless
 * `weir.access-log` says where. A body may be as long as the globalconf's max_request_entity_size says now. router and shared
 * must outlive the globalconf; h2o_config_dispose() releases the rest. Returns 0, or -1 after a complaint on standard error,
 * with nothing registered.
 */
WEIR_API int weir_register(struct st_h2o_pathconf_t *path, const weir_router_t *router, weir_shared_t *shared,
                           const char *directives);

/**
 * Gives a connection that was just accepted (h2o_evloop_socket_accept()) to Weir's fronts, which own it from now on: what
 * h2o_accept() does for libh2o's, and it means the same by its h2o_accept_ctx_t, which may be gone when this returns:
 *
 *   ctx, hosts            on whose thread, and which hosts can be reached (usually globalconf.hosts); they stay as long as the
 *                         context
 *   ssl_ctx               NULL: plain, HTTP/1, or HTTP/2 if it begins with the preface. Else TLS, with all that this SSL_CTX
 *                         says: certificates, versions, ALPN, client certificates, sessions and tickets; it is held
 *                         (SSL_CTX_up_ref()) and not changed. HTTP/2 if its ALPN callback has chosen h2
 *                         (h2o_ssl_register_alpn_protocols() with h2o_alpn_protocols), or by the preface if it has chosen
 *                         nothing. Early data and renegotiation are refused.
 *   expect_proxy_line     a PROXY header, version 1 or 2, comes first
 *   libmemcached_receiver must be NULL: TLS sessions in libh2o's memcached are bound to libh2o's own sockets
 *
 * Timers and limits that the globalconf of the context has a word for are its: handshake_timeout, http1.req_timeout (for each
 * head and between requests; `weir.header-timeout` among the directives of the first weir_register() overrules it),
 * http2.idle_timeout, http2.max_concurrent_requests_per_connection. Of the first weir_register() are the limits of heads. A
 * failed handshake is a line on standard error, at most one a second.
 *
 * False, and `sock` is still the caller's, as it was: no path of the globalconf has a router of Weir's, the socket speaks TLS
 * already (h2o_socket_ssl_handshake()), something was read from it, or libmemcached_receiver is set.
 */
WEIR_API bool weir_accept(struct st_h2o_accept_ctx_t *ctx, struct st_h2o_socket_t *sock);

/**
 * Has the handlers registered on `path` so far find the request's body whole in req->entity, as libh2o's own handlers expect
 * it, also where it came by weir_accept(). A longer one than limit_bytes is answered with 413. For paths without a router of
 * Weir's.
 */
WEIR_API void weir_collect_bodies(struct st_h2o_pathconf_t *path, size_t limit_bytes);

/**
 * Ends what has come by weir_accept(): idle connections now, others with what is under way. Returns how many connections
 * and requests of Weir's are left in this context and thread. The loop has to go on, and this to be called again, until that is
 * 0; only then h2o_context_dispose() may follow.
 */
WEIR_API size_t weir_drain(struct st_h2o_context_t *context);

#endif
