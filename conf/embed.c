/* SPDX-License-Identifier: MIT */
/*
 * Weir inside an application: the configuration of one path, made by the same means as any other. Its own globalconf is
 * never served; what matters of it is the plan of its only path.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/listen.h"
#include "conf/paths.h"
#include "conf/yaml.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/wire/server/embedded.h"
#include "lib/wire/front/handler.h"
#include "weir_h2o.h"

enum { LAST_LINES_MS = 2000 };

static _Atomic unsigned alive; /* configurations; the writer of logs ends with the last */

/* A document whose only path has these directives. NULL after a complaint. */
static yoml_t *make_document(const char *name, const char *directives)
{
    yoml_t *document = conf_yaml_parse(WEIR_SPAN("hosts: {default: {paths: {/: {}}}}"), name);
    yoml_t *inner = directives != NULL ? conf_yaml_parse((weir_span_t){directives, strlen(directives)}, name) : NULL;
    yoml_t **slot = &document;

    if (directives == NULL)
        return document;
    if (inner == NULL || inner->type != YOML_TYPE_MAPPING) {
        if (inner != NULL)
            conf_complain(inner, "directives must be a mapping");
        conf_yaml_release(&inner);
        conf_yaml_release(&document);
        return NULL;
    }
    while ((*slot)->type == YOML_TYPE_MAPPING && (*slot)->data.mapping.size > 0)
        slot = &(*slot)->data.mapping.elements[0].value;
    conf_yaml_release(slot);
    *slot = inner;
    return document;
}

/* Nobody listens there: a configuration has to listen somewhere. */
static const char nowhere[] = "unix:/nonexistent/weir_register";

static bool load(conf_t *conf, const weir_router_t *router, weir_shared_t *shared, const char *directives)
{
    conf_value_t *log = &conf->level->values[CONF_access_log];
    const char *problem = conf_listen_on_text(conf, nowhere);
    yoml_t *document;
    char error[256];

    WEIR_MUST(problem == NULL);
    log->text = "OFF"; /* an application's standard output is its own */
    conf->given = router != NULL ? weir_module_of(router, shared, error, sizeof(error)) : NULL;
    if (router != NULL && conf->given == NULL)
        return conf_complain_at(conf->file, 0, "%s", error);
    document = make_document(conf->file, directives);
    if (document == NULL || !conf_apply(conf, &document))
        return false;
    if (conf->paths->plan == NULL)
        return conf_complain_at(conf->file, 0, "neither a router nor weir.router is given");
    conf->global = conf->paths->level; /* the path's directives are all there are */
    if (!conf_settings_fill(conf) || !conf_modules_start(conf))
        return false;
    if (conf->global->values[CONF_header_timeout].where == NULL) /* the globalconf's, when it has its last word */
        conf->settings.header_timeout_ms = conf->paths->plan->header_timeout_ms = 0;
    return true;
}

static void discard(conf_t *conf)
{
    bool is_last = atomic_fetch_sub(&alive, 1) == 1;

    conf_destroy(&conf);
    if (is_last)
        weir_access_log_stop(LAST_LINES_MS);
    weir_arena_forget_blocks();
}

static void on_dispose(const weir_server_settings_t *settings)
{
    discard(WEIR_AROUND(settings, conf_t, settings));
}

WEIR_API int weir_register(struct st_h2o_pathconf_t *path, const weir_router_t *router, weir_shared_t *shared,
                           const char *directives)
{
    conf_t *conf = conf_create("weir_register", false);

    atomic_fetch_add(&alive, 1);
    conf->globalconf.max_request_entity_size = path->global->max_request_entity_size;
    if (!load(conf, router, shared, directives)) {
        discard(conf);
        return -1;
    }
    if (conf->logs != NULL)
        weir_access_log_start();
    weir_embedded_register(path, conf->paths->plan, &conf->settings, on_dispose);
    return 0;
}

WEIR_API bool weir_accept(struct st_h2o_accept_ctx_t *ctx, struct st_h2o_socket_t *sock)
{
    return weir_embedded_accept(ctx, sock);
}

WEIR_API void weir_collect_bodies(struct st_h2o_pathconf_t *path, size_t limit_bytes)
{
    weir_gate_put_first(path, limit_bytes);
}

WEIR_API size_t weir_drain(struct st_h2o_context_t *context)
{
    return weir_embedded_drain(context);
}
