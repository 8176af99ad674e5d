/* SPDX-License-Identifier: MIT */
#include "conf/paths.h"

bool conf_settings_fill(conf_t *conf)
{
    const conf_value_t *values = conf->global->values;

    conf->settings = (weir_server_settings_t){
        .globalconf = &conf->globalconf,
        .listens = conf->listens.at,
        .listen_count = conf->listens.count,
        .threads = conf_threads(conf),
        .max_connections = (unsigned)values[CONF_max_connections].number,
        .drain_timeout_ms = (uint32_t)values[CONF_drain_timeout].number,
        .head_limits = conf->head_limits,
        .header_timeout_ms = (uint32_t)values[CONF_header_timeout].number,
        .idle_timeout_ms = (uint32_t)values[CONF_idle_timeout].number,
        .max_requests_per_connection = (uint32_t)values[CONF_max_requests].number,
        .http2_stream_window = (uint32_t)values[CONF_http2_stream_window].number,
        .http2_connection_window = (uint32_t)values[CONF_http2_connection_window].number,
        .max_body_bytes = conf_max_body_bytes(conf),
        .has_proxy_status = values[CONF_proxy_status].number == 1,
        .dns_servers = conf->dns_servers,
        .name_threads = (unsigned)values[CONF_num_name_resolution_threads].number,
    };
    return conf_access_log_open(conf, conf->global, &conf->settings.access_log);
}
