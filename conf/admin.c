/* SPDX-License-Identifier: MIT */
#include "conf/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/admin_tcp.h"
#include "conf/complain.h"
#include "conf/explain.h"
#include "conf/metrics_endpoint.h"
#include "conf/process.h"
#include "conf/state.h"
#include "conf/socket_rights.h"
#include "conf/top_document.h"
#include "conf/units.h"
#include "conf/upgrade.h"
#include "lib/base/log.h"
#include "router/admin.h"
#include "weir_span.h"

enum { OWNER_ONLY = 0600, OK = 200, PRECONDITION_REQUIRED = 428 };

static weir_admin_t *admin;
static weir_admin_place_t present; /* its texts are ours; neither path nor listen: there is none */

/* ---- the directive ---- */

static int read_key(const char *key, const yoml_t *value, weir_arena_t *arena, weir_admin_place_t *place)
{
    int result;

    if (conf_admin_tcp_read(key, value, arena, place, &result))
        return result;
    if (strcmp(key, "owner") == 0)
        return conf_socket_owner(value, &place->owner, &place->group);
    if (strcmp(key, "group") == 0)
        return conf_socket_group(value, &place->group);
    if (strcmp(key, "permission") == 0)
        return conf_socket_permission(value, &place->permission);
    if (strcmp(key, "require-if-match") == 0)
        return conf_flag_read(value->data.scalar, &place->requires_match)
                   ? 0
                   : conf_complain(value, "weir.admin: `require-if-match` is ON or OFF");
    place->path = weir_arena_copy(arena, (weir_span_t){value->data.scalar, strlen(value->data.scalar)}).base;
    return 0;
}

int conf_admin_read(const yoml_t *node, weir_arena_t *arena, weir_admin_place_t *out_place)
{
    static const char *const keys[] = {"path",
                                       "owner",
                                       "group",
                                       "permission",
                                       "listen",
                                       "host",
                                       "token-file",
                                       "certificate-file",
                                       "key-file",
                                       "client-ca-file",
                                       "require-if-match",
                                       NULL};
    weir_admin_place_t place = {.owner = (uid_t)-1, .group = (gid_t)-1, .permission = OWNER_ONLY};

    if (node->type != YOML_TYPE_MAPPING)
        return conf_complain(node, "weir.admin: must be a mapping with `path`, or `listen`, or both");
    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        size_t k = 0;
        while (keys[k] != NULL && strcmp(keys[k], entry->key->data.scalar) != 0)
            k++;
        if (keys[k] == NULL)
            return conf_complain_unknown(entry->key, "weir.admin", keys);
        if (entry->value->type != YOML_TYPE_SCALAR || entry->value->data.scalar[0] == '\0')
            return conf_complain(entry->value, "weir.admin: `%s` must be a word", keys[k]);
        if (read_key(keys[k], entry->value, arena, &place) != 0)
            return -1;
    }
    if (place.path == NULL && place.listen == NULL)
        return conf_complain(node, "weir.admin: `path` is missing");
    if (conf_admin_tcp_check(node, &place) != 0)
        return -1;
    *out_place = place;
    return 0;
}

/* ---- what answers ---- */

static void answer_version(weir_admin_call_t *call)
{
    char text[128];
    const int length = snprintf(text, sizeof(text), "{\"version\":\"%s\",\"pid\":%d}", WEIR_VERSION, (int)getpid());

    weir_admin_answer(call, OK, text, (size_t)length);
}

/* RFC 6585 §3: so that nobody overwrites what he has not seen. False: it was answered. */
static bool has_seen(weir_admin_call_t *call)
{
    const weir_span_t method = weir_admin_method(call);
    const bool is_change = weir_span_is(method, "PUT") || weir_span_is(method, "PATCH") || weir_span_is(method, "DELETE");

    if (!present.requires_match || !is_change || weir_admin_field(call, "if-match").base != NULL ||
        weir_admin_field(call, "if-none-match").base != NULL)
        return true;
    weir_admin_problem(call, PRECONDITION_REQUIRED, "precondition-required", NULL,
                       "If-Match, with the ETag of what was seen, or If-None-Match is required here");
    return false;
}

static void answer_router(weir_admin_call_t *call)
{
    weir_span_t name = weir_admin_segment(call, 0);

    if (!has_seen(call))
        return;
    weir_admin_skip(call, 1);
    weir_administered_ask(name, call);
}

static void answer_only_router(weir_admin_call_t *call)
{
    if (has_seen(call))
        weir_administered_ask((weir_span_t){NULL, 0}, call);
}

static void answer_routes(weir_admin_call_t *call);

static const weir_admin_route_t routes[] = {
    {"GET", "/", weir_admin_page},
    {"GET", "/v1", answer_routes},
    {"GET", "/metrics", conf_metrics_answer},
    {"GET", "/livez", conf_livez_answer},
    {"GET", "/readyz", conf_readyz_answer},
    {"GET", "/ready", conf_readyz_answer},
    {"GET", "/v1/openapi.json", weir_admin_openapi},
    {"GET", "/v1/version", answer_version},
    {"POST", "/v1/reload", conf_reload_answer},
    {"POST", "/v1/upgrade", conf_upgrade_answer},
    {"GET", "/v1/connections", conf_connections_answer},
    {"GET", "/v1/certificates", conf_certificates_answer},
    {"GET", "/v1/routers", weir_administered_list},
    {"GET", "/v1/sources", conf_state_answer},
    {"POST", "/v1/sources/accept", conf_state_accept},
    {"GET", "/v1/top", conf_top_answer},
    {"POST", "/v1/explain", conf_explain_answer},
    {"GET", "/v1/requests/*", conf_explain_answer_request},
    {"*", "/v1/routers/*/**", answer_router},
    {"*", "/v1/**", answer_only_router},
    {NULL, NULL, NULL},
};

static void answer_routes(weir_admin_call_t *call)
{
    char text[2048];
    int length = snprintf(text, sizeof(text), "{\"paths\":[");

    for (const weir_admin_route_t *route = routes; route->method != NULL; route++)
        length += snprintf(text + length, sizeof(text) - (size_t)length, "%s{\"method\":\"%s\",\"path\":\"%s\"}",
                           route == routes ? "" : ",", route->method, route->path);
    length += snprintf(text + length, sizeof(text) - (size_t)length, "]}");
    weir_admin_answer(call, OK, text, (size_t)length);
}

/* ---- life ---- */

static bool is_wanted(const weir_admin_place_t *place)
{
    return place->path != NULL || place->listen != NULL;
}

bool conf_admin_bind(const weir_admin_place_t *place)
{
    weir_admin_place_t now = *place;
    char problem[512];

    if (!is_wanted(place))
        return true;
    now.is_successor = conf_upgrade_is_awaited();
    admin = weir_admin_bind(&now, problem, sizeof(problem));
    if (admin == NULL) {
        weir_log("weir.admin: %s", problem);
        return false;
    }
    present = *place;
    present.path = place->path == NULL ? NULL : strdup(place->path);
    conf_admin_tcp_keep(&present, place);
    return true;
}

bool conf_admin_is(const weir_admin_place_t *place)
{
    if (place->requires_match != present.requires_match)
        return false;
    if (place->path == NULL || present.path == NULL)
        return place->path == present.path && conf_admin_tcp_is(place, &present);
    return strcmp(place->path, present.path) == 0 && place->owner == present.owner && place->group == present.group &&
           place->permission == present.permission && conf_admin_tcp_is(place, &present);
}

void conf_admin_retire(void)
{
    weir_admin_retire(admin);
}

void conf_admin_start(void)
{
    conf_top_begin();
    if (admin != NULL)
        weir_admin_start(admin, routes);
}

void conf_admin_stop(void)
{
    weir_admin_stop(&admin);
    free((char *)(uintptr_t)present.path);
    present.path = NULL;
    conf_admin_tcp_forget(&present);
}
