/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/networks.h"
#include "conf/paths.h"
#include "conf/trace.h"
#include "lib/base/log.h"

static uint32_t u32_of(const conf_value_t *value)
{
    return (uint32_t)value->number; /* the table's ranges are within 32 bits */
}

static weir_span_t span_of(const conf_value_t *value)
{
    return (weir_span_t){value->text, strlen(value->text)};
}

weir_head_limits_t conf_head_limits(const conf_level_t *level)
{
    const conf_value_t *values = level->values;

    return (weir_head_limits_t){
        .line_bytes = values[CONF_max_request_line].number,
        .name_bytes = values[CONF_max_header_name].number,
        .value_bytes = values[CONF_max_header_value].number,
        .count = values[CONF_max_headers].number,
        .total_bytes = values[CONF_max_head].number,
    };
}

void conf_head_limits_widen(weir_head_limits_t *limits, const weir_head_limits_t *other)
{
#define WIDEN(field) limits->field = other->field > limits->field ? other->field : limits->field
    WIDEN(line_bytes);
    WIDEN(name_bytes);
    WIDEN(value_bytes);
    WIDEN(count);
    WIDEN(total_bytes);
#undef WIDEN
}

static weir_response_limits_t response_limits(const conf_value_t *values)
{
    return (weir_response_limits_t){
        .status_line_bytes = values[CONF_max_status_line].number,
        .header_bytes = values[CONF_max_response_header].number,
        .cookie_bytes = values[CONF_max_response_cookie].number,
        .count = values[CONF_max_headers].number,
        .total_bytes = values[CONF_backend_buffer].number,
    };
}

uint64_t conf_max_body_bytes(const conf_t *conf)
{
    return conf->globalconf.max_request_entity_size == SIZE_MAX ? UINT64_MAX : conf->globalconf.max_request_entity_size;
}

bool conf_access_log_open(conf_t *conf, const conf_level_t *level, weir_access_log_t **out_log)
{
    const conf_value_t *value = &level->values[CONF_access_log];
    const char *where = value->where != NULL ? value->where : conf->file;

    *out_log = NULL;
    if (value->text[0] == '|')
        return conf_complain_at(where, 0, "weir.access-log: must be a file; commands read access-log, or standard output");
    if (conf->is_dry || strcasecmp(value->text, "OFF") == 0)
        return true;
    *out_log = weir_access_log_open(value->text);
    if (*out_log == NULL)
        return conf_complain_at(where, 0, "weir.access-log: %s: %s", value->text, strerror(errno));
    conf_log_remember(conf, *out_log);
    return true;
}

static void fill_headers(weir_plan_t *plan, const conf_value_t *values)
{
    plan->request_id_header = span_of(&values[CONF_request_id_header]);
    plan->start_time_header = span_of(&values[CONF_start_time_header]);
    plan->connect_time_header = span_of(&values[CONF_connect_time_header]);
    plan->route_time_header = span_of(&values[CONF_route_time_header]);
    plan->via = span_of(&values[CONF_via]);
    plan->request_id_max_bytes = values[CONF_request_id_max_size].number;
    plan->has_strict_path = values[CONF_path_bytes].number == 1;
    plan->has_canonical_case = values[CONF_header_case].number == 1;
    plan->has_proxy_status = values[CONF_proxy_status].number == 1;
    plan->has_server_timing = values[CONF_server_timing].number == 1;
    plan->tells_request_id = values[CONF_request_id_to_client].number == 1;
    plan->aborts_on_close = values[CONF_abort_on_close].number == 1;
    plan->has_log_time = values[CONF_log_time].number == 1;
    plan->has_heroku_codes = values[CONF_log_codes].number == 1;
}

weir_plan_t *conf_plan_create(conf_t *conf)
{
    const conf_value_t *values = conf->level->values;
    weir_plan_t *plan = weir_arena_zalloc(&conf->arena, sizeof(*plan));

    plan->connect_timeout_ms = u32_of(&values[CONF_connect_timeout]);
    plan->first_byte_timeout_ms = u32_of(&values[CONF_first_byte_timeout]);
    plan->idle_timeout_ms = u32_of(&values[CONF_idle_timeout]);
    plan->header_timeout_ms = u32_of(&values[CONF_header_timeout]);
    plan->router_timeout_ms = u32_of(&values[CONF_router_timeout]);
    plan->stage_timeout_ms = u32_of(&values[CONF_stage_timeout]);
    plan->callback_warn_ms = u32_of(&values[CONF_callback_warn]);
    plan->tunnel_timeout_ms = plan->idle_timeout_ms;
    plan->backend_idle_timeout_ms = u32_of(&values[CONF_backend_idle_timeout]);
    plan->max_request_time_ms = u32_of(&values[CONF_max_request_time]);
    plan->min_rate_bytes = values[CONF_min_rate].number;
    plan->backend_yield_after_ms = u32_of(&values[CONF_backend_yield_after]);
    plan->backend_ping_ms = u32_of(&values[CONF_backend_ping]);
    plan->head_limits = conf_head_limits(conf->level);
    plan->response_limits = response_limits(values);
    plan->backend_buffer_bytes = values[CONF_backend_buffer].number;
    plan->max_requests_per_connection = u32_of(&values[CONF_max_requests]);
    plan->max_body_bytes = conf_max_body_bytes(conf);
    fill_headers(plan, values);
    conf_trace_plan(conf, plan);
    plan->counts_apps = conf->metrics.apps_most > 0;
    if (values[CONF_trusted_proxies].node != NULL &&
        conf_networks_read(values[CONF_trusted_proxies].node, "weir.trusted-proxies", &conf->arena, &plan->trusted_proxies,
                           &plan->trusted_proxy_count) != 0)
        return NULL;
    if (values[CONF_explain_trusted].node != NULL &&
        conf_networks_read(values[CONF_explain_trusted].node, "weir.explain-trusted", &conf->arena, &plan->explain_trusted,
                           &plan->explain_trusted_count) != 0)
        return NULL;
    return conf_access_log_open(conf, conf->level, &plan->access_log) ? plan : NULL;
}
