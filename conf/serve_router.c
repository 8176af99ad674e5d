/* SPDX-License-Identifier: MIT */
/*
 * weir_serve(): one router on one address, everything else by default or by directives in the caller's text.
 */
#include <string.h>

#include "conf/complain.h"
#include "conf/listen.h"
#include "conf/verbs.h"
#include "conf/yaml.h"
#include "lib/base/must.h"
#include "weir.h"

static const char everything[] = "hosts: {default: {paths: {/: {}}}}";

static bool may_join(const yoml_t *more)
{
    const yoml_t *hosts = conf_yaml_get(more, "hosts");

    if (more->type != YOML_TYPE_MAPPING)
        return conf_complain(more, "directives: must be a mapping") == 0;
    if (hosts != NULL)
        return conf_complain(hosts, "hosts: the router given serves them all") == 0;
    return true;
}

/* What is served, and the directives of the program around it. NULL after a complaint. */
static yoml_t *make_document(const conf_t *conf, const char *directives)
{
    weir_span_t text = directives != NULL ? (weir_span_t){directives, strlen(directives)} : WEIR_SPAN("{}");
    yoml_t *hosts = conf_yaml_parse(WEIR_SPAN(everything), conf->file), *more = conf_yaml_parse(text, conf->file);
    yoml_t *document = more != NULL && may_join(more) ? conf_yaml_join(hosts, more) : NULL;

    conf_yaml_release(&hosts);
    conf_yaml_release(&more);
    return document;
}

static bool prepare(conf_t *conf, const char *listen, const weir_router_t *router, weir_shared_t *shared,
                    const char *directives)
{
    yoml_t *document = make_document(conf, directives);
    const char *problem = conf_listen_on_text(conf, listen);
    char error[256];

    if (document == NULL)
        return false;
    conf->given = problem == NULL ? weir_module_of(router, shared, error, sizeof(error)) : NULL;
    if (conf->given == NULL) {
        conf_yaml_release(&document);
        return conf_complain_at(conf->file, 0, "%s: %s", listen, problem != NULL ? problem : error);
    }
    return conf_apply(conf, &document);
}

WEIR_API int weir_serve(const char *listen, const weir_router_t *router, weir_shared_t *shared, const char *directives)
{
    conf_t *conf;
    int status = EXIT_START_UP;

    weir_server_block_signals(false);
    conf = conf_create("weir_serve", false);
    if (prepare(conf, listen, router, shared, directives))
        status = conf_serve(&conf, NULL);
    conf_destroy(&conf);
    weir_arena_forget_blocks();
    return status;
}
