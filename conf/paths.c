/* SPDX-License-Identifier: MIT */
#include "conf/paths.h"

#include <stdint.h>
#include <string.h>

#include "lib/wire/handler.h"

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
    level->values[CONF_router].node = level->values[CONF_stages].node = NULL; /* they do not outlive the document */
    path->level = level;
    path->host = text_of(conf, hostconf->authority.hostport);
    path->path = text_of(conf, pathconf->path);
    path->handlers = pathconf->handlers.size;
    *conf->paths_end = path;
    conf->paths_end = &path->next;
    return path;
}

/** libh2o appends handlers; the gate has to see a request before those that are there already. */
static void put_gate(const conf_t *conf, h2o_pathconf_t *pathconf)
{
    const uint64_t limit = conf_max_body_bytes(conf);
    h2o_handler_t **first, *gate;

    if (pathconf->handlers.size == 0)
        return; /* 404 without waiting for a body */
    weir_gate_register(pathconf, limit == UINT64_MAX ? GATE_BYTES : (size_t)limit);
    first = pathconf->handlers.entries;
    gate = first[pathconf->handlers.size - 1];
    memmove(first + 1, first, (pathconf->handlers.size - 1) * sizeof(first[0]));
    first[0] = gate;
}

static int put_router(conf_t *conf, h2o_pathconf_t *pathconf, conf_path_t *path)
{
    const conf_value_t *values = conf->level->values;
    weir_plan_t *plan = conf_plan_create(conf);

    if (plan == NULL)
        return -1;
    path->module = values[CONF_router].node != NULL ? conf_module_open(conf, values[CONF_router].node) : conf->given;
    if (path->module == NULL)
        return -1;
    plan->router = weir_module_router(path->module);
    plan->shared = weir_module_shared(path->module);
    plan->stages = conf_stages_open(conf, values[CONF_stages].node, &plan->stage_count, &path->extra_stages);
    if (plan->stages == NULL)
        return -1;
    path->plan = plan;
    conf_head_limits_widen(&conf->head_limits, &plan->head_limits);
    weir_handler_register(pathconf, plan);
    return 0;
}

int conf_path_leave(conf_t *conf, h2o_hostconf_t *hostconf, h2o_pathconf_t *pathconf)
{
    conf_path_t *path;

    if (pathconf == &hostconf->fallback_path) {
        put_gate(conf, pathconf);
        return 0;
    }
    path = remember_path(conf, hostconf, pathconf);
    if (conf->level->values[CONF_router].node != NULL || conf->given != NULL)
        return put_router(conf, pathconf, path);
    put_gate(conf, pathconf);
    return 0;
}
