/* SPDX-License-Identifier: MIT */
#include "conf/paths.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/log.h"

enum {
    FILES_OF_THREAD = 32, /* listeners, pipes, logs */
    FILES_OF_PROCESS = 64,
    CLIENTS_LEAST = 16,
};

/* Each client may need a backend: half of what may be open is kept for those. */
static unsigned max_connections(const conf_t *conf)
{
    const conf_value_t *said = &conf->global->values[CONF_max_connections];
    const rlim_t own = FILES_OF_PROCESS + FILES_OF_THREAD * (rlim_t)conf_threads(conf);
    struct rlimit files;
    rlim_t most;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return (unsigned)said->number;
    most = files.rlim_cur > own ? (files.rlim_cur - own) / 2 : 0;
    if (most < CLIENTS_LEAST)
        most = CLIENTS_LEAST;
    if (said->number <= most)
        return (unsigned)said->number;
    if (said->where != NULL && !conf->is_dry)
        weir_log("max-connections: %" PRIu64 " would need more than the %" PRIu64 " files that may be open: it is %" PRIu64,
                 (uint64_t)said->number, (uint64_t)files.rlim_cur, (uint64_t)most);
    return (unsigned)most;
}

static weir_span_t default_host(const conf_value_t *said)
{
    return said->text != NULL ? (weir_span_t){said->text, strlen(said->text)} : (weir_span_t){0};
}

bool conf_settings_fill(conf_t *conf)
{
    const conf_value_t *values = conf->global->values;

    conf->settings = (weir_server_settings_t){
        .globalconf = &conf->globalconf,
        .listens = conf->listens.at,
        .listen_count = conf->listens.count,
        .threads = conf_threads(conf),
        .max_connections = max_connections(conf),
        .drain_timeout_ms = (uint32_t)values[CONF_drain_timeout].number,
        .head_limits = conf->head_limits,
        .header_timeout_ms = (uint32_t)values[CONF_header_timeout].number,
        .idle_timeout_ms = (uint32_t)values[CONF_idle_timeout].number,
        .max_requests_per_connection = (uint32_t)values[CONF_max_requests].number,
        .http2_stream_window = (uint32_t)values[CONF_http2_stream_window].number,
        .http2_connection_window = (uint32_t)values[CONF_http2_connection_window].number,
        .max_trailer_bytes = (uint32_t)values[CONF_max_trailers].number,
        .default_host = default_host(&values[CONF_default_host]),
        .max_body_bytes = conf_max_body_bytes(conf),
        .has_proxy_status = values[CONF_proxy_status].number == 1,
        .has_log_time = values[CONF_log_time].number == 1,
        .has_heroku_codes = values[CONF_log_codes].number == 1,
        .dns_servers = conf->dns_servers,
        .callback_warn_ms = (uint32_t)values[CONF_callback_warn].number,
        .watchdog_ms = (uint32_t)values[CONF_watchdog].number,
        .watchdog_kill_ms = (uint32_t)values[CONF_watchdog_kill].number,
        .name_threads = (unsigned)values[CONF_num_name_resolution_threads].number,
    };
    return conf_access_log_open(conf, conf->global, &conf->settings.access_log);
}
