/* SPDX-License-Identifier: MIT */
/* From a document to a configuration: libh2o and its configurators walk it, and what they leave open is settled. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "conf/commands.h"
#include "conf/complain.h"
#include "conf/h2o_directives.h"
#include "conf/hosts.h"
#include "conf/leaks.h"
#include "conf/listen.h"
#include "conf/paths.h"
#include "conf/resumption.h"
#include "conf/suggest.h"
#include "conf/workers.h"
#include "conf/yaml.h"
#include "lib/base/must.h"
#include "lib/wire/local/status.h"

enum { HTTP2_STREAMS = 100 }; /* RFC 9113 §6.5.2: no less */

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
    conf->metrics = (weir_metrics_settings_t){.version = WEIR_VERSION, .abi = WEIR_ROUTER_ABI};
    h2o_config_init(&conf->globalconf);
    conf->globalconf.server_name = h2o_iovec_init(conf_server_name, strlen(conf_server_name));
    conf->globalconf.max_request_entity_size = SIZE_MAX; /* what limit-request-body leaves alone has no limit */
    conf->globalconf.http1.upgrade_to_http2 = 0;
    conf->globalconf.http2.max_concurrent_requests_per_connection = HTTP2_STREAMS;
    conf->globalconf.http2.idle_timeout = 0; /* unless it is set: weir.header-timeout */
    conf_commands_register(conf);
    return conf;
}

/* send-server-name may stand behind the hosts. */
static void settle_server_header(conf_t *conf)
{
    for (conf_path_t *path = conf->paths; path != NULL; path = path->next)
        if (path->reverse != NULL)
            path->reverse->hides_server = conf->globalconf.proxy.preserve_server_header == 0;
}

static bool is_user_there(const conf_t *conf)
{
    const conf_value_t *user = &conf->global->values[CONF_user];

    return user->text == NULL || getpwnam(user->text) != NULL ||
           conf_complain_at(user->where, 0, "user: there is no user %s", user->text);
}

/* All of them are looked at, whatever the others say. */
static bool finish(conf_t *conf)
{
    weir_head_limits_t global = conf_head_limits(conf->global);
    const bool checks[] = {is_user_there(conf), conf_hosts_differ(conf), conf_h2o_look_at_urls(conf),
                           conf_resumption_finish(conf)};

    settle_server_header(conf);
    if (conf->has_status)
        weir_status_count_all(&conf->globalconf);
    /* As the program h2o does; the cache is cleared once in each round of the loop. */
    conf->globalconf.filecache.capacity = conf->globalconf.http2.max_concurrent_requests_per_connection * 2;
    conf_head_limits_widen(&conf->head_limits, &global);
    conf_listen_finish(conf);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        conf->is_wrong = conf->is_wrong || !checks[i];
    return !conf->is_wrong;
}

bool conf_apply(conf_t *conf, yoml_t **document)
{
    bool is_whole, has_said_where;

    conf_workers_expand(document);
    conf_complain_begin(conf_suggest_command, &conf->globalconf);
    CONF_LEAKS_LOOK_AWAY();
    conf->is_wrong = !conf_h2o_look(conf, *document);
    is_whole = h2o_configurator_apply(&conf->globalconf, *document, conf->is_dry) == 0;
    CONF_LEAKS_LOOK_AGAIN();
    has_said_where = conf_complain_end();
    conf_yaml_release(document);
    if ((!is_whole || conf->is_wrong) && !has_said_where)
        conf_complain_at(conf->file, 0, "this configuration cannot be used");
    return is_whole && finish(conf);
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
