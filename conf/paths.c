/* SPDX-License-Identifier: MIT */
#include "conf/paths.h"

#include <stdint.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/custom.h"
#include "conf/fastcgi.h"
#include "conf/proxy.h"
#include "lib/wire/front/handler.h"

enum { GATE_BYTES = 1024 * 1024 * 1024 }; /* what libh2o allows a body that it holds in memory */

static const char *text_of(conf_t *conf, h2o_iovec_t bytes)
{
    return weir_arena_copy(&conf->arena, (weir_span_t){bytes.base, bytes.len}).base;
}

static conf_path_t *remember_path(conf_t *conf, const h2o_hostconf_t *hostconf, const h2o_pathconf_t *pathconf)
{
    conf_path_t *path = weir_arena_zalloc(&conf->arena, sizeof(*path));
    conf_level_t *level = weir_arena_alloc(&conf->arena, sizeof(*level));

    *level = *conf->level;
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        level->values[i].node = NULL; /* they do not outlive the document */
    level->changes = NULL;
    level->customs = NULL;
    path->level = level;
    path->host = text_of(conf, hostconf->authority.hostport);
    path->path = text_of(conf, pathconf->path);
    path->handlers = pathconf->handlers.size;
    *conf->paths_end = path;
    conf->paths_end = &path->next;
    return path;
}

static void put_gate(const conf_t *conf, h2o_pathconf_t *pathconf)
{
    const uint64_t limit = conf_max_body_bytes(conf);

    if (pathconf->handlers.size > 0) /* else 404 without waiting for a body */
        weir_gate_put_first(pathconf, limit == UINT64_MAX ? GATE_BYTES : (size_t)limit);
}

/* libh2o appends handlers; the router's place is where proxy.reverse.url or fastcgi.connect stands among them. */
static void move_last_handler(h2o_pathconf_t *pathconf, size_t to)
{
    h2o_handler_t **at = pathconf->handlers.entries + to, *last = pathconf->handlers.entries[pathconf->handlers.size - 1];

    memmove(at + 1, at, (pathconf->handlers.size - 1 - to) * sizeof(at[0]));
    at[0] = last;
}

/* What h2o's own directives send the path's requests to: proxy.reverse.url or fastcgi.connect; NULL: neither. */
static const yoml_t *backend_of(const conf_value_t *values)
{
    const yoml_t *url = values[CONF_proxy_reverse_url].node;

    return url != NULL ? url : values[CONF_fastcgi_connect].node;
}

/* The router that the path names, or the one that is given for all. */
static weir_module_t *open_router(conf_t *conf, const conf_value_t *values, conf_path_t *path)
{
    const yoml_t *url = values[CONF_proxy_reverse_url].node, *connect = values[CONF_fastcgi_connect].node,
                 *router = values[CONF_router].node;

    if (router != NULL && backend_of(values) != NULL) {
        conf_complain(backend_of(values), "%s and weir.router exclude each other at one path",
                      url != NULL ? "proxy.reverse.url" : "fastcgi.connect");
        return NULL;
    }
    if (url != NULL && connect != NULL) {
        conf_complain(connect, "fastcgi.connect and proxy.reverse.url exclude each other at one path");
        return NULL;
    }
    if (backend_of(values) != NULL)
        router = url != NULL ? conf_proxy_router(conf) : conf_fastcgi_router(conf);
    else if (router == NULL)
        return conf->given;
    return router != NULL ? conf_module_open(conf, router, path) : NULL;
}

static int put_router(conf_t *conf, h2o_pathconf_t *pathconf, conf_path_t *path)
{
    const conf_value_t *values = conf->level->values;
    weir_plan_t *plan = conf_plan_create(conf);

    if (plan == NULL)
        return -1;
    plan->mount = (weir_span_t){path->path, strlen(path->path)};
    if (values[CONF_proxy_reverse_url].node != NULL) {
        path->reverse = plan;
        conf_proxy_fill(conf, plan);
    } else if (values[CONF_fastcgi_connect].node != NULL) {
        path->is_fastcgi = true;
        conf_fastcgi_fill(conf, plan);
    }
    path->module = open_router(conf, values, path);
    if (path->module == NULL)
        return -1;
    plan->binding = (weir_binding_t){weir_module_router(path->module), weir_module_shared(path->module),
                                     weir_module_is_built_in(path->module)};
    if (!conf_stages_open(conf, values[CONF_stages].node, plan, &path->extra_stages))
        return -1;
    path->plan = plan;
    conf_head_limits_widen(&conf->head_limits, &plan->head_limits);
    weir_handler_register(pathconf, plan);
    if (backend_of(values) != NULL)
        move_last_handler(pathconf, conf->level->router_at);
    return 0;
}

int conf_path_leave(conf_t *conf, h2o_hostconf_t *hostconf, h2o_pathconf_t *pathconf)
{
    conf_path_t *path;

    if (pathconf == &hostconf->fallback_path) {
        put_gate(conf, pathconf);
        return 0;
    }
    conf_proxy_settle(conf);
    conf_fastcgi_settle(conf);
    path = remember_path(conf, hostconf, pathconf);
    if (!conf_custom_open(conf, path))
        return -1;
    if (conf->level->values[CONF_router].node != NULL || backend_of(conf->level->values) != NULL || conf->given != NULL)
        return put_router(conf, pathconf, path);
    if (conf->level->scripts == NULL &&
        !conf->level->takes_workers) /* their bodies stream, and nothing else of libh2o's that may stand here reads one */
        put_gate(conf, pathconf);
    return 0;
}
