/* SPDX-License-Identifier: MIT */
#include "conf/fastcgi.h"

#include <string.h>

#include "conf/complain.h"
#include "conf/proxy.h"
#include "conf/yaml.h"
#include "conf/yaml_node.h"

enum { PORT_DIGITS = 5 };

int conf_fastcgi_on_connect(conf_t *conf, const h2o_pathconf_t *pathconf, yoml_t *node)
{
    conf_value_t *value = &conf->level->values[CONF_fastcgi_connect];

    if (value->node != NULL) {
        conf_warn(node, "fastcgi.connect is never asked: the one before it (%s) answers every request of this path",
                  value->where);
        return 0;
    }
    conf->level->router_at = pathconf->handlers.size;
    return conf_value_read(CONF_fastcgi_connect, node, &conf->arena, value);
}

/* ---- where the application is ---- */

static const char *scalar_of(const yoml_t *mapping, const char *key, const char *other)
{
    const yoml_t *value = conf_yaml_get(mapping, key);

    if (value == NULL)
        return other;
    return value->type == YOML_TYPE_SCALAR ? value->data.scalar : "";
}

static bool is_port(const char *text)
{
    const size_t length = strlen(text);

    return length > 0 && length <= PORT_DIGITS && strspn(text, "0123456789") == length;
}

/* As a router's backends are written; NULL after a complaint. */
static const char *place_of_scalar(conf_t *conf, const yoml_t *node)
{
    const char *text = node->data.scalar;

    if (is_port(text))
        return weir_arena_format(&conf->arena, "127.0.0.1:%s", text).base;
    return text[0] == '/' ? weir_arena_format(&conf->arena, "unix:%s", text).base : text;
}

static bool has_known_keys(const yoml_t *node)
{
    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const char *key = node->data.mapping.elements[i].key->data.scalar;
        if (strcmp(key, "host") != 0 && strcmp(key, "port") != 0 && strcmp(key, "type") != 0)
            return conf_complain(node->data.mapping.elements[i].key, "fastcgi.connect: has host, port and type, and no `%s`",
                                 key) == 0;
    }
    return true;
}

static const char *place_of_mapping(conf_t *conf, const yoml_t *node)
{
    const char *host = scalar_of(node, "host", "127.0.0.1"), *port = scalar_of(node, "port", ""),
               *type = scalar_of(node, "type", "tcp");

    if (!has_known_keys(node))
        return NULL;
    if (strcmp(type, "unix") == 0)
        return weir_arena_format(&conf->arena, "unix:%s", port).base;
    if (strcmp(type, "tcp") == 0 && is_port(port))
        return weir_arena_format(&conf->arena, strchr(host, ':') != NULL && host[0] != '[' ? "[%s]:%s" : "%s:%s", host, port)
            .base;
    conf_complain(node, "fastcgi.connect: needs a port, a number with `type: tcp`, a path with `type: unix`");
    return NULL;
}

static const char *place_of(conf_t *conf, const yoml_t *node)
{
    if (node->type == YOML_TYPE_SCALAR)
        return place_of_scalar(conf, node);
    if (node->type == YOML_TYPE_MAPPING)
        return place_of_mapping(conf, node);
    conf_complain(node, "fastcgi.connect: must be a port, the path of a socket, or a mapping of host, port and type");
    return NULL;
}

/* ---- the router's configuration ---- */

const yoml_t *conf_fastcgi_router(conf_t *conf)
{
    const conf_value_t *values = conf->level->values, *root = &values[CONF_fastcgi_document_root];
    const yoml_t *node = values[CONF_fastcgi_connect].node;
    const bool is_kept = values[CONF_fastcgi_timeout_keepalive].number > 0;
    const char *place = place_of(conf, node);
    conf_entries_t entries = {0};

    if (place == NULL)
        return NULL;
    conf_entries_put(&entries, node, "module", conf_node_text(node, "reverse"));
    conf_entries_put(&entries, node, "fastcgi", conf_node_text(node, place));
    conf_entries_put(&entries, node, "keepalive", conf_node_text(node, is_kept ? "default" : "none"));
    if (root->text != NULL)
        conf_entries_put(&entries, node, "document-root", conf_node_text(node, root->text));
    if (values[CONF_fastcgi_send_delegated_uri].number == 1)
        conf_entries_put(&entries, node, "send-delegated-uri", conf_node_text(node, "ON"));
    return conf_proxy_keep(conf, node, &entries);
}

/* ---- the plan ---- */

void conf_fastcgi_settle(conf_t *conf)
{
    if (conf->level->values[CONF_fastcgi_connect].node != NULL)
        conf_proxy_settle_timeouts(conf, CONF_fastcgi_timeout_io);
}

void conf_fastcgi_fill(const conf_t *conf, weir_plan_t *plan)
{
    const conf_value_t *keepalive = &conf->level->values[CONF_fastcgi_timeout_keepalive];

    if (keepalive->number > 0)
        plan->backend_idle_timeout_ms = (uint32_t)keepalive->number;
    plan->upgrades = WEIR_UPGRADES_NONE;
}
