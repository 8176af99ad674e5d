/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/networks.h"
#include "conf/listen.h"
#include "conf/socket_rights.h"
#include "conf/units.h"
#include "conf/yaml.h"

/* ---- the short form ---- */

static bool copy(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static const char *read_text(const char *text, conf_wish_t *wish)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t host_len = colon != NULL ? (size_t)(colon - text) : 0;

    wish->is_unix = text[0] == '/' || strncmp(text, "unix:", 5) == 0;
    if (wish->is_unix)
        return copy(wish->port, sizeof(wish->port), text + (text[0] == '/' ? 0 : 5), strlen(text) - (text[0] == '/' ? 0 : 5))
                   ? NULL
                   : "the path of a unix socket has at most 107 bytes";
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(text, ':', host_len) != NULL) {
        return "an IPv6 address is written in brackets: [::1]:8080";
    }
    if (!copy(wish->host, sizeof(wish->host), host, host_len) ||
        !copy(wish->port, sizeof(wish->port), colon != NULL ? colon + 1 : text, strlen(colon != NULL ? colon + 1 : text)))
        return "too long";
    return NULL;
}

static conf_wish_t no_wish(conf_t *conf, const yoml_t *node)
{
    return (conf_wish_t){.node = node,
                         .conf = conf,
                         .owner = (uid_t)-1,
                         .group = (gid_t)-1,
                         .max_client_connections = CONF_LIMIT_UNSAID,
                         .max_connections_per_client = CONF_LIMIT_UNSAID};
}

const char *conf_listen_on_text(conf_t *conf, const char *text)
{
    conf_wish_t wish = no_wish(conf, NULL);
    const char *problem = read_text(text, &wish);

    return problem != NULL ? problem : conf_listen_grant(conf, NULL, &wish);
}

const char *conf_listen_address(conf_t *conf, const char *text, weir_listen_t *out_listen)
{
    conf_wish_t wish = no_wish(conf, NULL);
    const char *problem = read_text(text, &wish);

    if (problem == NULL && (wish.is_unix || wish.host[0] == '\0'))
        problem = "must be HOST:PORT";
    return problem != NULL ? problem : conf_listen_resolve(&wish, out_listen);
}

static int listen_on_scalar(conf_t *conf, h2o_hostconf_t *host, const yoml_t *node)
{
    conf_wish_t wish = no_wish(conf, node);
    const char *problem = read_text(node->data.scalar, &wish);

    if (problem == NULL)
        problem = conf_listen_grant(conf, host, &wish);
    return problem == NULL ? 0 : conf_complain(node, "listen: %s: %s", node->data.scalar, problem);
}

/* ---- the mapping ---- */

static int read_host(const yoml_t *value, conf_wish_t *wish)
{
    return copy(wish->host, sizeof(wish->host), value->data.scalar, strlen(value->data.scalar))
               ? 0
               : conf_complain(value, "too long");
}

static int read_port(const yoml_t *value, conf_wish_t *wish)
{
    return copy(wish->port, sizeof(wish->port), value->data.scalar, strlen(value->data.scalar))
               ? 0
               : conf_complain(value, "too long");
}

static int read_type(const yoml_t *value, conf_wish_t *wish)
{
    wish->is_unix = strcasecmp(value->data.scalar, "unix") == 0;
    return wish->is_unix || strcasecmp(value->data.scalar, "tcp") == 0 ? 0 : conf_complain(value, "type must be tcp or unix");
}

static int read_proxy_protocol(const yoml_t *value, conf_wish_t *wish)
{
    return conf_flag_read(value->data.scalar, &wish->has_proxy_protocol)
               ? 0
               : conf_complain(value, "proxy-protocol must be ON or OFF");
}

static int read_trusted(const yoml_t *value, conf_wish_t *wish)
{
    if (value->type == YOML_TYPE_SEQUENCE && value->data.sequence.size == 0)
        return conf_complain(value, "proxy-protocol-trusted must be a list of addresses");
    return conf_networks_read(value, "proxy-protocol-trusted", &wish->conf->arena, &wish->trusted, &wish->trusted_count);
}

static int read_limit(const yoml_t *value, const char *name, uint32_t *out_limit)
{
    uint64_t number;

    if (!conf_number_read(value->data.scalar, CONF_UNIT_NONE, 0, CONF_LIMIT_MOST, &number))
        return conf_complain(value, "%s must be %s from 0 to %d", name, conf_unit_sentence(CONF_UNIT_NONE), CONF_LIMIT_MOST);
    *out_limit = (uint32_t)number;
    return 0;
}

static int read_max_connections(const yoml_t *value, conf_wish_t *wish)
{
    return read_limit(value, "max-client-connections", &wish->max_client_connections);
}

static int read_max_per_client(const yoml_t *value, conf_wish_t *wish)
{
    return read_limit(value, "max-connections-per-client", &wish->max_connections_per_client);
}

static int read_owner(const yoml_t *value, conf_wish_t *wish)
{
    return conf_socket_owner(value, &wish->owner, &wish->group);
}

static int read_group(const yoml_t *value, conf_wish_t *wish)
{
    return conf_socket_group(value, &wish->group);
}

static int read_permission(const yoml_t *value, conf_wish_t *wish)
{
    return conf_socket_permission(value, &wish->permission);
}

static int read_ssl(const yoml_t *value, conf_wish_t *wish)
{
    return conf_ssl_read(wish->conf, value, &wish->ssl);
}

static const struct {
    const char *name;
    int (*read)(const yoml_t *value, conf_wish_t *wish);
} keys[] = {
    {"host", read_host},
    {"port", read_port},
    {"type", read_type},
    {"proxy-protocol", read_proxy_protocol},
    {"proxy-protocol-trusted", read_trusted},
    {"max-client-connections", read_max_connections},
    {"max-connections-per-client", read_max_per_client},
    {"owner", read_owner},
    {"group", read_group},
    {"permission", read_permission},
    {"ssl", read_ssl},
};

static int complain_about_key(const yoml_t *key)
{
    const char *names[sizeof(keys) / sizeof(keys[0]) + 1] = {NULL};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        names[i] = keys[i].name;
    return conf_complain_unknown(key, "listen", names);
}

static int read_entry(const yoml_mapping_element_t *entry, conf_wish_t *wish)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].name, entry->key->data.scalar) != 0)
            continue;
        if (entry->value->type != YOML_TYPE_SCALAR && keys[i].read != read_ssl && keys[i].read != read_trusted)
            return conf_complain(entry->value, "listen: %s must be a scalar", keys[i].name);
        return keys[i].read(entry->value, wish);
    }
    return complain_about_key(entry->key);
}

static int listen_on_mapping(conf_t *conf, h2o_hostconf_t *host, const yoml_t *node)
{
    conf_wish_t wish = no_wish(conf, node);
    const char *problem;
    bool is_fine = true;

    for (size_t i = 0; i < node->data.mapping.size; i++)
        if (conf_yaml_is_first(node, i))
            is_fine = read_entry(&node->data.mapping.elements[i], &wish) == 0 && is_fine;
    if (!is_fine)
        return -1;
    if (wish.port[0] == '\0')
        return conf_complain(node, "listen: port is missing");
    if (wish.trusted_count > 0 && !wish.has_proxy_protocol)
        return conf_complain(node, "listen: proxy-protocol-trusted needs proxy-protocol: ON");
    problem = conf_listen_grant(conf, host, &wish);
    return problem == NULL ? 0 : conf_complain(node, "listen: %s", problem);
}

int conf_listen_on(conf_t *conf, h2o_hostconf_t *host, const yoml_t *node)
{
    int result = 0;

    switch (node->type) {
    case YOML_TYPE_SCALAR:
        return listen_on_scalar(conf, host, node);
    case YOML_TYPE_MAPPING:
        return listen_on_mapping(conf, host, node);
    case YOML_TYPE_SEQUENCE:
        break;
    }
    for (size_t i = 0; i < node->data.sequence.size; i++)
        if (conf_listen_on(conf, host, node->data.sequence.elements[i]) != 0)
            result = -1;
    return result;
}
