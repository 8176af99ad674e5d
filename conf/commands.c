/* SPDX-License-Identifier: MIT */
#include "conf/commands.h"

#include <string.h>

#include "conf/admin.h"
#include "conf/compress.h"
#include "conf/complain.h"
#include "conf/custom.h"
#include "conf/dns_servers.h"
#include "conf/fastcgi.h"
#include "conf/files.h"
#include "conf/guard.h"
#include "conf/h2o_directives.h"
#include "conf/h2o_log.h"
#include "conf/hosts.h"
#include "conf/leaks.h"
#include "conf/listen.h"
#include "conf/metrics_apps.h"
#include "conf/metrics_endpoint.h"
#include "conf/paths.h"
#include "conf/proxy.h"
#include "conf/resumption.h"
#include "conf/trace.h"
#include "conf/state.h"
#include "conf/workers.h"
#include "conf/yaml.h"
#include "lib/base/must.h"
#include "lib/wire/local/metrics.h"
#include "lib/wire/local/status.h"

static int on_directive(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);
    const conf_directive_t directive = conf_directive_named(command->name);

    return conf_value_read(directive, node, &conf->arena, &conf->level->values[directive]);
}

static int on_listen(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);

    conf->has_listen = true;
    return conf_listen_on(conf, context->hostconf, node);
}

static int on_session_resumption(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_resumption_read(conf_of(context->globalconf), node);
}

static int on_dns_servers(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_dns_servers_read(conf_of(context->globalconf), node);
}

static int on_admin(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);

    return conf_admin_read(node, &conf->arena, &conf->admin);
}

static int on_access_log(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_h2o_log_read(conf_of(context->globalconf), node);
}

/* ---- the status page ---- */

static int on_status(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    const int word = (int)h2o_configurator_get_one_of(command, node, "OFF,ON");

    if (word == 1) {
        weir_status_register(context->pathconf);
        conf_of(context->globalconf)->has_status = true;
    }
    return word == -1 ? -1 : 0;
}

/* ---- metrics ---- */

static int on_metrics(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);
    conf_value_t *value = &conf->level->values[CONF_metrics];

    if (context->pathconf == NULL)
        return conf_metrics_place_read(conf, node);
    if (conf_value_read(CONF_metrics, node, &conf->arena, value) != 0)
        return -1;
    if (value->number == 1)
        weir_metrics_register(context->pathconf, &conf->metrics);
    return 0;
}

static int on_workers(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_workers_read(conf_of(context->globalconf), context->hostconf, context->pathconf, node);
}

static int on_state(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_state_read(conf_of(context->globalconf), node);
}

static int on_metrics_apps(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_metrics_apps_read(conf_of(context->globalconf), node);
}

static int on_trace(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_trace_read(conf_of(context->globalconf), context->hostconf == NULL, node);
}

/* ---- libh2o's own that mean something else here, or nothing ---- */

/* In seconds. What weir.header-timeout says explicitly wins, whichever comes first. */
static int on_http1_request_timeout(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);
    conf_value_t *value = &conf->level->values[CONF_header_timeout];

    if (value->where != NULL)
        return 0;
    value->text = weir_arena_format(&conf->arena, "%s000", node->data.scalar).base; /* a number from 1 on, see guard.c */
    value->number = strtoull(value->text, NULL, 10);
    value->where = conf_where(&conf->arena, node);
    return 0;
}

/* In seconds, which libh2o would multiply in 32 bits. */
static int on_handshake_timeout(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    context->globalconf->handshake_timeout = strtoull(node->data.scalar, NULL, 10) * 1000;
    return 0;
}

static int on_http2_idle_timeout(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    context->globalconf->http2.idle_timeout = strtoull(node->data.scalar, NULL, 10) * 1000;
    return 0;
}

static int on_custom_handler(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_custom_read(conf_of(context->globalconf), node);
}

static int on_hosts(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_hosts_read(conf_of(context->globalconf), command, context, node);
}

/* Of a directive of h2o's that nothing more has to be done for. */
static int on_nothing(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return 0;
}

/* ---- the reverse proxy ---- */

static int on_reverse_url(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_proxy_on_url(conf_of(context->globalconf), context->pathconf, node);
}

static int on_fastcgi_connect(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_fastcgi_on_connect(conf_of(context->globalconf), context->pathconf, node);
}

static int on_proxy_header(h2o_configurator_command_t *command, h2o_configurator_context_t *context, yoml_t *node)
{
    return conf_proxy_on_header(conf_of(context->globalconf), conf_directive_named(command->name), node);
}

/* Returns what was there. */
static h2o_configurator_command_cb replace(conf_t *conf, const char *name, h2o_configurator_command_cb callback)
{
    h2o_configurator_command_t *command = h2o_configurator_get_command(&conf->globalconf, name);
    h2o_configurator_command_cb before;

    WEIR_MUST(command != NULL);
    before = command->cb;
    command->cb = callback;
    return before;
}

/* ---- levels ---- */

static int on_enter(h2o_configurator_t *configurator, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);

    WEIR_MUST(conf->level < conf->levels + H2O_CONFIGURATOR_NUM_LEVELS);
    conf->level[1] = conf->level[0];
    conf->level++;
    return 0;
}

static int leave_global(conf_t *conf, const yoml_t *node)
{
    conf_level_t *copy = weir_arena_alloc(&conf->arena, sizeof(*copy));

    *copy = *conf->level;
    conf->global = copy;
    conf->metrics.tells_members = copy->values[CONF_metrics_members].number == 1;
    if (conf->listens.count == 0 && !conf->has_listen && !conf->is_wrong)
        return conf_complain(node, "there is no `listen`, neither at the global level nor at a host");
    return conf_metrics_place_check(conf, node);
}

static int on_exit_level(h2o_configurator_t *configurator, h2o_configurator_context_t *context, yoml_t *node)
{
    conf_t *conf = conf_of(context->globalconf);
    int result = 0;

    CONF_LEAKS_LOOK_AGAIN(); /* what is ours is none of libh2o's leaks */
    if (context->hostconf == NULL)
        result = leave_global(conf, node);
    else if (context->pathconf != NULL) {
        conf_h2o_log_register(conf, context->pathconf);
        result = conf_path_leave(conf, context->hostconf, context->pathconf);
    }
    CONF_LEAKS_LOOK_AWAY();
    conf->level--;
    conf->is_wrong = conf->is_wrong || result != 0;
    return 0;
}

/* ---- registration ---- */

static int flags_of(conf_levels_t levels)
{
    switch (levels) {
    case CONF_LEVELS_GLOBAL:
        return H2O_CONFIGURATOR_FLAG_GLOBAL;
    case CONF_LEVELS_HOSTS:
        return H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_HOST;
    case CONF_LEVELS_ANYWHERE:
        return H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_HOST | H2O_CONFIGURATOR_FLAG_PATH;
    case CONF_LEVELS_PATHS:
        return H2O_CONFIGURATOR_FLAG_PATH;
    case CONF_LEVELS_ENDS:
        return H2O_CONFIGURATOR_FLAG_GLOBAL | H2O_CONFIGURATOR_FLAG_PATH;
    }
    return 0;
}

static h2o_configurator_command_cb callback_of(conf_directive_t directive)
{
    if (directive == CONF_listen)
        return on_listen;
    if (directive == CONF_session_resumption)
        return on_session_resumption;
    if (directive == CONF_dns_servers)
        return on_dns_servers;
    if (directive == CONF_admin)
        return on_admin;
    if (directive == CONF_metrics)
        return on_metrics;
    if (directive == CONF_metrics_apps)
        return on_metrics_apps;
    if (directive == CONF_workers)
        return on_workers;
    if (directive == CONF_state)
        return on_state;
    if (directive == CONF_trace)
        return on_trace;
    if (directive == CONF_proxy_reverse_url)
        return on_reverse_url;
    if (directive == CONF_fastcgi_connect)
        return on_fastcgi_connect;
    return directive >= CONF_proxy_header_add && directive <= CONF_proxy_header_unset ? on_proxy_header : on_directive;
}

/*
 * What libh2o knows already or not at all, and what would be unknown otherwise: the look before has said what there is to say.
 */
static void register_rest(conf_t *conf, h2o_configurator_t *configurator)
{
    for (size_t i = 0; i < conf_h2o_directive_count; i++)
        if (h2o_configurator_get_command(&conf->globalconf, conf_h2o_directives[i].name) == NULL)
            h2o_configurator_define_command(configurator, conf_h2o_directives[i].name, H2O_CONFIGURATOR_FLAG_ALL_LEVELS,
                                            on_nothing);
}

static void register_ours(conf_t *conf)
{
    h2o_configurator_t *configurator = h2o_configurator_create(&conf->globalconf, sizeof(*configurator));

    configurator->enter = on_enter;
    configurator->exit = on_exit_level;
    for (conf_directive_t i = 0; i < CONF_DIRECTIVES; i++)
        h2o_configurator_define_command(
            configurator, conf_directives[i].name,
            flags_of(conf_directives[i].levels) |
                (i == CONF_proxy_reverse_url || i == CONF_fastcgi_connect ? H2O_CONFIGURATOR_FLAG_DEFERRED : 0),
            callback_of(i));
    h2o_configurator_define_command(configurator, "access-log", H2O_CONFIGURATOR_FLAG_ALL_LEVELS, on_access_log);
    register_rest(conf, configurator);
}

void conf_commands_register(conf_t *conf)
{
    static void (*const theirs[])(h2o_globalconf_t *) = {
        h2o_expires_register_configurator, h2o_errordoc_register_configurator, h2o_throttle_resp_register_configurator,
        h2o_headers_register_configurator, h2o_redirect_register_configurator, h2o_status_register_configurator,
    };

    CONF_LEAKS_LOOK_AWAY();
    conf_compress_register(conf); /* first of all filters to be left, so that it sees what the others have done */
    conf_files_register(conf);
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
        theirs[i](&conf->globalconf);
    CONF_LEAKS_LOOK_AGAIN();
    conf->hosts_callback = replace(conf, "hosts", on_hosts);
    replace(conf, "file.custom-handler", on_custom_handler);
    replace(conf, "handshake-timeout", on_handshake_timeout);
    replace(conf, "http2-idle-timeout", on_http2_idle_timeout);
    replace(conf, "http1-request-timeout", on_http1_request_timeout);
    replace(conf, "http1-upgrade-to-http2", on_nothing);
    replace(conf, "duration-stats", on_nothing);
    replace(conf, "status", on_status);
    register_ours(conf);
    conf_guard_put(conf);
}
