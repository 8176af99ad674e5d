/* SPDX-License-Identifier: MIT */
#include "conf/snapshot.h"

#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/commands.h"
#include "conf/complain.h"
#include "conf/h2o_directives.h"
#include "conf/leaks.h"
#include "conf/listen.h"
#include "conf/paths.h"
#include "conf/resumption.h"
#include "conf/suggest.h"
#include "conf/yaml.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/wire/tls.h"
#include "weir.h"

enum { HTTP2_STREAMS = 100 }; /* RFC 9113 §6.5.2: no less */

static const char server_name[] = "weir/" WEIR_VERSION;

conf_t *conf_of(h2o_globalconf_t *globalconf)
{
    return WEIR_AROUND(globalconf, conf_t, globalconf);
}

conf_t *conf_create(const char *file, bool is_dry)
{
    conf_t *conf = calloc(1, sizeof(*conf));

    WEIR_MUST(conf != NULL);
    weir_arena_init(&conf->arena);
    conf->file = weir_arena_copy(&conf->arena, (weir_span_t){file, strlen(file)}).base;
    conf->is_dry = is_dry;
    conf->error_fd = -1;
    conf->level = conf->levels;
    conf->paths_end = &conf->paths;
    conf->notes_end = &conf->notes;
    conf_values_default(conf->level->values);
    h2o_config_init(&conf->globalconf);
    conf->globalconf.server_name = h2o_iovec_init(server_name, sizeof(server_name) - 1);
    conf->globalconf.max_request_entity_size = SIZE_MAX; /* what limit-request-body leaves alone has no limit */
    conf->globalconf.http1.upgrade_to_http2 = 0;
    conf->globalconf.http2.max_concurrent_requests_per_connection = HTTP2_STREAMS;
    conf->globalconf.http2.idle_timeout = 0; /* unless it is set: weir.header-timeout */
    conf_commands_register(conf);
    return conf;
}

const char *conf_beside(conf_t *conf, const char *name)
{
    const char *slash = strrchr(conf->file, '/');

    if (name[0] == '/')
        return name;
    if (strncmp(name, "./", 2) == 0)
        name += 2;
    if (slash == NULL)
        return weir_arena_format(&conf->arena, "./%s", name).base;
    return weir_arena_format(&conf->arena, "%.*s/%s", (int)(slash - conf->file), conf->file, name).base;
}

const char *conf_beside_or_here(conf_t *conf, const char *name)
{
    const char *beside = conf_beside(conf, name);

    if (access(beside, F_OK) == 0 || access(name, F_OK) != 0)
        return beside;
    return weir_arena_copy(&conf->arena, (weir_span_t){name, strlen(name)}).base;
}

unsigned conf_threads(const conf_t *conf)
{
    const conf_value_t *value = &conf->global->values[CONF_num_threads];
    cpu_set_t cpus;

    if (value->text != NULL)
        return (unsigned)value->number;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
        return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    return (unsigned)CPU_COUNT(&cpus);
}

/** send-server-name may stand behind the hosts. */
static void settle_server_header(conf_t *conf)
{
    for (conf_path_t *path = conf->paths; path != NULL; path = path->next)
        if (path->reverse != NULL)
            path->reverse->hides_server = conf->globalconf.proxy.preserve_server_header == 0;
}

static bool finish(conf_t *conf)
{
    const conf_value_t *values = conf->global->values;
    const conf_value_t *user = &values[CONF_user];
    weir_head_limits_t global = conf_head_limits(conf->global);

    if (user->text != NULL && getpwnam(user->text) == NULL)
        return conf_complain_at(user->where, 0, "user: there is no user %s", user->text);
    if (!conf_h2o_look_at_urls(conf))
        return false;
    settle_server_header(conf);
    /* As the program h2o does; the cache is cleared once in each round of the loop. */
    conf->globalconf.filecache.capacity = conf->globalconf.http2.max_concurrent_requests_per_connection * 2;
    conf_head_limits_widen(&conf->head_limits, &global);
    conf_listen_finish(conf);
    return conf_resumption_finish(conf);
}

bool conf_apply(conf_t *conf, yoml_t **document)
{
    bool is_fine, has_said_where;

    conf_complain_begin(conf_suggest_command, &conf->globalconf);
    CONF_LEAKS_LOOK_AWAY();
    is_fine = conf_h2o_look(conf, *document) && h2o_configurator_apply(&conf->globalconf, *document, conf->is_dry) == 0;
    CONF_LEAKS_LOOK_AGAIN();
    has_said_where = conf_complain_end();
    conf_yaml_release(document);
    conf_access_logs_leave(conf);
    if (!is_fine && !has_said_where)
        conf_complain_at(conf->file, 0, "this configuration cannot be used");
    return is_fine && finish(conf);
}

conf_t *conf_load(const char *file, bool is_dry)
{
    yoml_t *document = conf_yaml_load(file);
    conf_t *conf;

    if (document == NULL)
        return NULL;
    conf = conf_create(file, is_dry);
    if (!conf_apply(conf, &document))
        conf_destroy(&conf);
    return conf;
}

static void destroy_listens(conf_t *conf)
{
    for (size_t i = 0; i < conf->listens.count; i++) {
        weir_tls_release(&conf->listens.at[i].tls);
        if (conf->listens.at[i].hosts != conf->globalconf.hosts)
            free(conf->listens.at[i].hosts);
    }
    free(conf->listens.at);
    free(conf->listens.ssl_texts);
}

/** The only commands whose names libh2o allocates, and it leaves them behind. */
static void forget_command_names(h2o_globalconf_t *globalconf)
{
    static const char *const names[] = {"header.add", "header.append",     "header.merge",
                                        "header.set", "header.setifempty", "header.unset"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        h2o_configurator_command_t *command = h2o_configurator_get_command(globalconf, names[i]);

        WEIR_MUST(command != NULL);
        free((void *)(uintptr_t)command->name);
        command->name = ""; /* for those that are sought after it */
    }
}

/** libh2o leaves what it was given and the list of status pages behind. */
void conf_retire(conf_t *conf)
{
    h2o_globalconf_t *globalconf = &conf->globalconf;

    if (conf->is_retired)
        return;
    conf->is_retired = true;
    if (globalconf->server_name.len != 0 && globalconf->server_name.base != server_name)
        free(globalconf->server_name.base);
    forget_command_names(globalconf);
    h2o_config_dispose(globalconf);
    free(globalconf->statuses.entries);
}

void conf_destroy(conf_t **conf_slot)
{
    conf_t *conf = *conf_slot;

    *conf_slot = NULL;
    if (conf == NULL)
        return;
    destroy_listens(conf);
    conf_retire(conf);
    for (conf_module_t *known = conf->modules; known != NULL; known = known->next)
        weir_module_close(&known->module);
    weir_module_close(&conf->given);
    for (conf_object_t *loaded = conf->objects; loaded != NULL; loaded = loaded->next)
        weir_object_close(&loaded->object);
    for (const conf_log_t *opened = conf->logs; opened != NULL; opened = opened->next)
        weir_access_log_close(opened->log);
    if (conf->error_fd != -1)
        close(conf->error_fd);
    for (conf_made_t *made = conf->made; made != NULL; made = made->next)
        conf_yaml_release(&made->node);
    weir_arena_finish(&conf->arena);
    free(conf);
}
