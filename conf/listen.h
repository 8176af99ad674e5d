/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_LISTEN_H
#define WEIR_CONF_LISTEN_H
/**
 * @file  The directive `listen`.
 */
#include "conf/listen_ssl.h"
#include "lib/http/network.h"

enum { CONF_LIMIT_MOST = 10000000 };
#define CONF_LIMIT_UNSAID UINT32_MAX /* the global level's holds */

/** One entry of `listen` as it is written. */
typedef struct conf_wish {
    const yoml_t *node; /* NULL: weir_serve()'s */
    conf_t *conf;
    char host[256]; /* empty: every address */
    char port[110]; /* or the path of a unix socket */
    bool is_unix;
    bool has_proxy_protocol;
    const weir_network_t *trusted; /* in the arena */
    size_t trusted_count;
    uint32_t max_client_connections, max_connections_per_client; /* or CONF_LIMIT_UNSAID */
    uid_t owner;
    gid_t group;
    mode_t permission;
    conf_ssl_t ssl;
} conf_wish_t;

/** Listens as wished, for `host` or (NULL) for all. Returns a sentence on failure. */
const char *conf_listen_grant(conf_t *conf, h2o_hostconf_t *host, const conf_wish_t *wish);

/** The first address of a wish that is no unix socket. Returns a sentence on failure. */
const char *conf_listen_resolve(const conf_wish_t *wish, weir_listen_t *out_listen);

/** Handles `listen` at the global level (host is NULL) or at a host's. Returns 0, or -1 after a complaint. */
int conf_listen_on(conf_t *conf, h2o_hostconf_t *host, const yoml_t *node);

/** Listens on an address given as text ("8080", "127.0.0.1:8080", "[::]:80", "unix:/path"). Returns a sentence on failure. */
const char *conf_listen_on_text(conf_t *conf, const char *text);

/**
 * Reads an address of TCP for a listener that is none of the server's. Of a name that has several the first is meant. Returns a
 * sentence on failure.
 */
const char *conf_listen_address(conf_t *conf, const char *text, weir_listen_t *out_listen);

/** What only a process does that is going to serve: OCSP stapling for all listens that want it. */
void conf_listen_begin(const conf_t *conf);

/** Makes every host reachable through the listens of the global level, whose limits hold where a listen has none. Last. */
void conf_listen_finish(conf_t *conf);

#endif
