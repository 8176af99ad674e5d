/* SPDX-License-Identifier: MIT */
#include "conf/listen.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "conf/complain.h"
#include "conf/hosts.h"
#include "conf/workers.h"
#include "lib/base/must.h"

/* ---- what is listened on ---- */

static conf_listen_more_t *more_of(const conf_t *conf, const weir_listen_t *listen)
{
    return &conf->listens.more[listen - conf->listens.at];
}

static weir_listen_t *find_listen(conf_t *conf, const weir_listen_t *like)
{
    for (size_t i = 0; i < conf->listens.count; i++) {
        weir_listen_t *listen = &conf->listens.at[i];
        if (listen->address_len == like->address_len && memcmp(&listen->address, &like->address, like->address_len) == 0)
            return listen;
    }
    return NULL;
}

static weir_listen_t *add_listen(conf_t *conf, const weir_listen_t *like, const h2o_hostconf_t *host, const char *ssl_text)
{
    conf_listens_t *listens = &conf->listens;
    weir_listen_t *listen;

    if (listens->count == listens->capacity) {
        listens->capacity = listens->capacity == 0 ? 4 : 2 * listens->capacity;
        listens->at = realloc(listens->at, listens->capacity * sizeof(listens->at[0]));
        listens->more = realloc(listens->more, listens->capacity * sizeof(listens->more[0]));
        WEIR_MUST(listens->at != NULL && listens->more != NULL);
    }
    listens->more[listens->count] = (conf_listen_more_t){.ssl_text = ssl_text, .is_for_all = host == NULL};
    listen = &listens->at[listens->count++];
    *listen = *like;
    return listen;
}

static bool trusts_the_same(const weir_listen_t *a, const weir_listen_t *b)
{
    char one[WEIR_NETWORK_TEXT], other[WEIR_NETWORK_TEXT];

    if (a->trusted_count != b->trusted_count)
        return false;
    for (size_t i = 0; i < a->trusted_count; i++)
        if (strcmp(weir_network_write(&a->trusted[i], one), weir_network_write(&b->trusted[i], other)) != 0)
            return false;
    return true;
}

static bool limits_the_same(const weir_listen_t *a, const weir_listen_t *b)
{
    return a->max_client_connections == b->max_client_connections &&
           a->max_connections_per_client == b->max_connections_per_client;
}

/* What stands against a second `listen` for an address. */
static const char *conflict(const conf_t *conf, const weir_listen_t *listen, const weir_listen_t *wanted, const char *ssl_text)
{
    const char *there = more_of(conf, listen)->ssl_text;

    if (listen->has_proxy_protocol != wanted->has_proxy_protocol)
        return "proxy-protocol is ON and OFF for the same address";
    if (!trusts_the_same(listen, wanted))
        return "two different proxy-protocol-trusted for the same address";
    if (!limits_the_same(listen, wanted))
        return "two different limits of connections for the same address";
    if ((there == NULL) != (ssl_text == NULL))
        return "one address cannot be plain and have ssl";
    if (there != NULL && strcmp(there, ssl_text) != 0)
        return "ssl: only certificate-file and key-file may differ for the same address";
    return NULL;
}

/* Whether somebody asks a second time for the same, and for nothing else. One `listen` may come to one address twice. */
static bool is_repeated(const conf_t *conf, const weir_listen_t *listen, const h2o_hostconf_t *host, const conf_wish_t *wish,
                        const weir_listen_t *wanted)
{
    const conf_listen_more_t *more = more_of(conf, listen);

    if (wish->node == NULL || wish->ssl.node != NULL || listen->where == NULL || wanted->where == NULL ||
        strcmp(listen->where, wanted->where) == 0)
        return false;
    return host == NULL ? more->is_for_all : more->hosts.count > 0 && more->hosts.at[more->hosts.count - 1] == host;
}

/* Returns a sentence on failure. */
static const char *listen_on(conf_t *conf, h2o_hostconf_t *host, const conf_wish_t *wish, const weir_listen_t *wanted)
{
    weir_listen_t *listen = find_listen(conf, wanted);
    const char *problem = listen != NULL ? conflict(conf, listen, wanted, wish->ssl.text) : NULL;

    if (listen != NULL && problem == NULL && is_repeated(conf, listen, host, wish, wanted))
        conf_warn(wish->node, "listen: %s is listened on already, see %s", listen->name, listen->where);
    if (listen == NULL)
        listen = add_listen(conf, wanted, host, wish->ssl.text);
    if (problem == NULL && wish->ssl.node != NULL)
        problem = conf_ssl_grant(conf, &wish->ssl, host, listen);
    if (problem != NULL)
        return problem;
    /* Without a list of its own a listen is for every host: the global level's, which a host's cannot narrow. */
    if (host != NULL && !more_of(conf, listen)->is_for_all)
        conf_host_list_add(&more_of(conf, listen)->hosts, host);
    return NULL;
}

/* ---- addresses ---- */

static const char *listen_on_unix(conf_t *conf, h2o_hostconf_t *host, const conf_wish_t *wish, weir_listen_t *listen)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(wish->port) >= sizeof(address.sun_path))
        return "the path of a unix socket has at most 107 bytes";
    memcpy(address.sun_path, wish->port, strlen(wish->port));
    memcpy(&listen->address, &address, sizeof(address));
    listen->address_len = sizeof(address);
    snprintf(listen->name, sizeof(listen->name), "unix:%s", wish->port);
    return listen_on(conf, host, wish, listen);
}

static int resolve(const conf_wish_t *wish, struct addrinfo **out_found)
{
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP, .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_ADDRCONFIG};
    const char *host = wish->host[0] != '\0' ? wish->host : NULL;
    int error = getaddrinfo(host, wish->port, &hints, out_found);

    if (error == 0)
        return 0;
    /* A machine that has nothing but its loopback interface is still an honest place to listen. */
    hints.ai_flags &= ~AI_ADDRCONFIG;
    return getaddrinfo(host, wish->port, &hints, out_found);
}

static void name_listen(weir_listen_t *listen, const struct addrinfo *found)
{
    char host[64], port[8];

    if (getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(listen->name, sizeof(listen->name), found->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Returns a sentence on failure; else the addresses are the caller's. */
static const char *find_addresses(const conf_wish_t *wish, struct addrinfo **out_all)
{
    char *end;
    const long port = strtol(wish->port, &end, 10);
    int error;

    if (wish->port[0] < '0' || wish->port[0] > '9' || *end != '\0' || port < 1 || port > 65535)
        return "a port is a number from 1 to 65535";
    error = resolve(wish, out_all);
    return error == 0 ? NULL : weir_arena_format(&wish->conf->arena, "host %s: %s", wish->host, gai_strerror(error)).base;
}

static void set_address(weir_listen_t *listen, const struct addrinfo *found)
{
    memset(&listen->address, 0, sizeof(listen->address));
    memcpy(&listen->address, found->ai_addr, found->ai_addrlen);
    listen->address_len = found->ai_addrlen;
    name_listen(listen, found);
}

const char *conf_listen_resolve(const conf_wish_t *wish, weir_listen_t *out_listen)
{
    struct addrinfo *all;
    const char *problem = find_addresses(wish, &all);

    if (problem != NULL)
        return problem;
    set_address(out_listen, all);
    freeaddrinfo(all);
    return NULL;
}

static const char *listen_on_tcp(conf_t *conf, h2o_hostconf_t *host, const conf_wish_t *wish, weir_listen_t *listen)
{
    struct addrinfo *all;
    const char *problem = find_addresses(wish, &all);

    if (problem != NULL)
        return problem;
    for (const struct addrinfo *found = all; found != NULL && problem == NULL; found = found->ai_next) {
        set_address(listen, found);
        problem = listen_on(conf, host, wish, listen);
    }
    freeaddrinfo(all);
    return problem;
}

const char *conf_listen_grant(conf_t *conf, h2o_hostconf_t *host, const conf_wish_t *wish)
{
    weir_listen_t listen = {.where = wish->node != NULL ? conf_where(&conf->arena, wish->node) : NULL,
                            .has_proxy_protocol = wish->has_proxy_protocol,
                            .trusted = wish->trusted,
                            .trusted_count = wish->trusted_count,
                            .max_client_connections = wish->max_client_connections,
                            .max_connections_per_client = wish->max_connections_per_client,
                            .owner = wish->owner,
                            .group = wish->group,
                            .permission = wish->permission};

    return wish->is_unix ? listen_on_unix(conf, host, wish, &listen) : listen_on_tcp(conf, host, wish, &listen);
}

static void settle_limit(const conf_t *conf, conf_directive_t directive, uint32_t *limit)
{
    if (*limit == CONF_LIMIT_UNSAID)
        *limit = (uint32_t)conf->global->values[directive].number;
}

/* The short form's host is reachable at its own listener only: whoever else names it does not find it. */
static h2o_hostconf_t **hosts_for_all(conf_t *conf)
{
    h2o_hostconf_t **all = conf->globalconf.hosts, **open;
    size_t count = 0, kept = 0;

    while (all[count] != NULL)
        count++;
    open = weir_arena_alloc(&conf->arena, (count + 1) * sizeof(open[0]));
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->authority.hostport.base, CONF_WORKERS_HOST) != 0)
            open[kept++] = all[i];
    open[kept] = NULL;
    return kept == 0 || kept == count ? all : open; /* libh2o has at least one */
}

static bool is_for_workers_only(h2o_hostconf_t *const *own)
{
    return own != NULL && own[0] != NULL && own[1] == NULL && strcmp(own[0]->authority.hostport.base, CONF_WORKERS_HOST) == 0;
}

void conf_listen_finish(conf_t *conf)
{
    h2o_hostconf_t **all = hosts_for_all(conf);

    for (size_t i = 0; i < conf->listens.count; i++) {
        weir_listen_t *listen = &conf->listens.at[i];
        h2o_hostconf_t **own = conf->listens.more[i].hosts.at;

        listen->hosts = own != NULL ? own : all;
        if (is_for_workers_only(own))
            listen->header_timeout_ms = conf->workers_header_ms;
        settle_limit(conf, CONF_max_client_connections, &listen->max_client_connections);
        settle_limit(conf, CONF_max_connections_per_client, &listen->max_connections_per_client);
    }
}

void conf_listen_begin(const conf_t *conf)
{
    for (size_t i = 0; i < conf->listens.count; i++)
        if (conf->listens.at[i].tls != NULL)
            weir_tls_watch_status(conf->listens.at[i].tls);
}
