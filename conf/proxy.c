/* SPDX-License-Identifier: MIT */
#include "conf/proxy.h"

#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/yaml_node.h"
#include "lib/base/must.h"
#include "lib/http/hop.h"

int conf_proxy_on_url(conf_t *conf, const h2o_pathconf_t *pathconf, yoml_t *node)
{
    conf_value_t *value = &conf->level->values[CONF_proxy_reverse_url];

    if (value->node != NULL) {
        conf_warn(node, "proxy.reverse.url is never asked: the one before it (%s) answers every request of this path",
                  value->where);
        return 0;
    }
    conf->level->router_at = pathconf->handlers.size;
    return conf_value_read(CONF_proxy_reverse_url, node, &conf->arena, value);
}

/* ---- proxy.header.* ---- */

int conf_proxy_on_header(conf_t *conf, conf_directive_t directive, yoml_t *node)
{
    const char *name = conf_directives[directive].name;
    const char *text = node->type == YOML_TYPE_SCALAR ? node->data.scalar : "";
    const size_t name_len = strcspn(text, ":");
    const bool has_value = text[name_len] == ':', wants_value = directive != CONF_proxy_header_unset;
    conf_change_t *change;

    if (has_value != wants_value)
        return conf_complain(node, "%s: must be %s", name, wants_value ? "`name: value`" : "the name of a header");
    if (!weir_hop_may_set((weir_span_t){text, name_len}, (weir_span_t){text + name_len, strlen(text) - name_len}))
        return conf_complain(node, "%s: %.*s is no header that may be changed", name, (int)name_len, text);
    change = weir_arena_alloc(&conf->arena, sizeof(*change));
    *change = (conf_change_t){.before = conf->level->changes, .directive = directive, .node = node};
    conf->level->changes = change;
    return 0;
}

/* ---- the router's configuration ---- */

static yoml_t *share(yoml_t *node)
{
    node->_refcnt++;
    return node;
}

/* `{set: "name: value"}` of proxy.header.set. */
static yoml_t *change_node(const conf_change_t *change)
{
    conf_entries_t entries = {0};

    conf_entries_put(&entries, change->node, strrchr(conf_directives[change->directive].name, '.') + 1, share(change->node));
    return conf_node_map(conf_node_place(change->node), &entries);
}

/* The changes of every level, the outermost first. */
static yoml_t *changes_node(const yoml_t *place, const conf_change_t *last)
{
    yoml_t *list = last != NULL ? changes_node(place, last->before) : conf_node_list(conf_node_place(place));

    return last != NULL ? conf_node_list_add(list, change_node(last)) : list;
}

/* How the certificate of an https backend is verified. */
static yoml_t *tls_node(conf_t *conf, const yoml_t *url)
{
    const conf_value_t *values = conf->level->values, *file = &values[CONF_proxy_ssl_cafile];
    conf_entries_t entries = {0};

    conf_entries_put(&entries, url, "verify",
                     conf_node_text(url, values[CONF_proxy_ssl_verify_peer].number == 1 ? "ON" : "OFF"));
    if (file->text != NULL)
        conf_entries_put(&entries, url, "ca-file", conf_node_text(url, conf_beside_or_here(conf, file->text)));
    return conf_node_map(conf_node_place(url), &entries);
}

const yoml_t *conf_proxy_keep(conf_t *conf, const yoml_t *node, conf_entries_t *entries)
{
    conf_made_t *made = weir_arena_alloc(&conf->arena, sizeof(*made));

    *made = (conf_made_t){.next = conf->made, .node = conf_node_map(conf_node_place(node), entries)};
    conf->made = made;
    return made->node;
}

const yoml_t *conf_proxy_router(conf_t *conf)
{
    const conf_value_t *values = conf->level->values, *keepalive = &values[CONF_proxy_timeout_keepalive];
    yoml_t *url = values[CONF_proxy_reverse_url].node;
    conf_entries_t entries = {0};

    conf_entries_put(&entries, url, "module", conf_node_text(url, "reverse"));
    conf_entries_put(&entries, url, "url", share(url));
    conf_entries_put(&entries, url, "preserve-host",
                     conf_node_text(url, values[CONF_proxy_preserve_host].number == 1 ? "ON" : "OFF"));
    conf_entries_put(&entries, url, "keepalive",
                     conf_node_text(url, keepalive->where != NULL && keepalive->number == 0 ? "none" : "default"));
    conf_entries_put(&entries, url, "headers", changes_node(url, conf->level->changes));
    if (url->type == YOML_TYPE_SCALAR && strncasecmp(url->data.scalar, "https:", 6) == 0)
        conf_entries_put(&entries, url, "tls", tls_node(conf, url));
    return conf_proxy_keep(conf, url, &entries);
}

/* ---- the plan ---- */

void conf_proxy_settle_timeouts(conf_t *conf, conf_directive_t io)
{
    static const conf_directive_t timeouts[] = {CONF_connect_timeout, CONF_first_byte_timeout, CONF_idle_timeout};
    conf_value_t *values = conf->level->values;

    for (size_t i = 0; values[io].where != NULL && i < sizeof(timeouts) / sizeof(timeouts[0]); i++)
        if (values[timeouts[i]].where == NULL)
            values[timeouts[i]] = values[io];
}

void conf_proxy_settle(conf_t *conf)
{
    if (conf->level->values[CONF_proxy_reverse_url].node != NULL)
        conf_proxy_settle_timeouts(conf, CONF_proxy_timeout_io);
}

void conf_proxy_fill(const conf_t *conf, weir_plan_t *plan)
{
    const conf_value_t *values = conf->level->values;

    plan->tunnel_timeout_ms = (uint32_t)values[CONF_proxy_websocket_timeout].number;
    if (values[CONF_proxy_timeout_keepalive].where != NULL)
        plan->backend_idle_timeout_ms = (uint32_t)values[CONF_proxy_timeout_keepalive].number;
    plan->upgrades = values[CONF_proxy_websocket].number == 1 ? WEIR_UPGRADES_WEBSOCKET : WEIR_UPGRADES_NONE;
    plan->has_no_forwarded = values[CONF_proxy_emit_forwarded].number == 0;
    plan->keeps_forwarded_proto = values[CONF_proxy_preserve_forwarded_proto].number == 1;
    if (values[CONF_proxy_emit_via].number == 0)
        plan->via = (weir_span_t){NULL, 0};
}
