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
#include "conf/h2o_log.h"
#include "conf/leaks.h"
#include "conf/listen.h"
#include "conf/paths.h"
#include "conf/resumption.h"
#include "conf/suggest.h"
#include "conf/yaml.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/wire/tls/tls.h"
#include "weir.h"

const char conf_server_name[] = "weir/" WEIR_VERSION;

conf_t *conf_of(h2o_globalconf_t *globalconf)
{
    return WEIR_AROUND(globalconf, conf_t, globalconf);
}

const char *conf_path_beside(weir_arena_t *arena, const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');

    if (name[0] == '/')
        return name;
    if (strncmp(name, "./", 2) == 0)
        name += 2;
    if (slash == NULL)
        return weir_arena_format(arena, "./%s", name).base;
    return weir_arena_format(arena, "%.*s/%s", (int)(slash - file), file, name).base;
}

const char *conf_beside(conf_t *conf, const char *name)
{
    return conf_path_beside(&conf->arena, conf->file, name);
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

static void destroy_listens(conf_t *conf)
{
    for (size_t i = 0; i < conf->listens.count; i++) {
        weir_tls_release(&conf->listens.at[i].tls);
        free(conf->listens.more[i].hosts.at);
    }
    free(conf->listens.at);
    free(conf->listens.more);
}

/* The only commands whose names libh2o allocates, and it leaves them behind. */
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

/* libh2o leaves what it was given and the list of status pages behind. */
void conf_retire(conf_t *conf)
{
    h2o_globalconf_t *globalconf = &conf->globalconf;

    if (conf->is_retired)
        return;
    conf->is_retired = true;
    if (globalconf->server_name.len != 0 && globalconf->server_name.base != conf_server_name)
        free(globalconf->server_name.base);
    forget_command_names(globalconf);
    h2o_config_dispose(globalconf);
    free(globalconf->statuses.entries);
}

void conf_log_remember(conf_t *conf, weir_access_log_t *log)
{
    conf_log_t *opened = weir_arena_alloc(&conf->arena, sizeof(*opened));

    *opened = (conf_log_t){.next = conf->logs, .log = log};
    conf->logs = opened;
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
    conf_node_map_finish(&conf->modules_by_node);
    conf_node_map_finish(&conf->stages_by_node);
    for (conf_stage_t *loaded = conf->stages; loaded != NULL; loaded = loaded->next)
        weir_stage_module_close(&loaded->module);
    conf_h2o_logs_free(conf);
    weir_trace_receiver_release(&conf->trace_receiver);
    for (const conf_log_t *opened = conf->logs; opened != NULL; opened = opened->next)
        weir_access_log_close(opened->log);
    if (conf->error_fd != -1)
        close(conf->error_fd);
    for (conf_made_t *made = conf->made; made != NULL; made = made->next)
        conf_yaml_release(&made->node);
    weir_arena_finish(&conf->arena);
    free(conf);
}
