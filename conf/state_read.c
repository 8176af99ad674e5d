/* SPDX-License-Identifier: MIT */
/* The directive weir.state. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/complain.h"
#include "conf/state.h"
#include "conf/state_store.h"
#include "conf/units.h"
#include "conf/yaml.h"

enum { WAIT_MS = 10000, RESYNC_MS = 30000, SAVE_MS = 60000, PREFIX_MOST = 200, TEXT_BYTES = 8192, NODE_MOST = 255 };

typedef struct reading {
    conf_t *conf;
    conf_etcd_t *etcd;
} reading_t;

typedef int read_value_t(const reading_t *it, const yoml_t *value);

typedef struct key {
    const char *name;
    read_value_t *read;
} state_key_t;

static const char *keep(conf_t *conf, const char *text)
{
    return weir_arena_copy(&conf->arena, (weir_span_t){text, strlen(text)}).base;
}

/* NULL: it is none. */
static const char *text_of(const yoml_t *value)
{
    return value->type == YOML_TYPE_SCALAR && value->data.scalar[0] != '\0' ? value->data.scalar : NULL;
}

/* Looks each key up; `what` names the mapping. */
static int read_mapping(const reading_t *it, const yoml_t *node, const char *what, const state_key_t *keys)
{
    const char *names[32] = {NULL};
    size_t count = 0;

    if (node->type != YOML_TYPE_MAPPING)
        return conf_complain(node, "%s: must be a mapping", what);
    for (; keys[count].name != NULL; count++)
        names[count] = keys[count].name;
    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        size_t k = 0;
        while (k < count && strcmp(keys[k].name, entry->key->data.scalar) != 0)
            k++;
        if (k == count)
            return conf_complain_unknown(entry->key, what, names);
        if (keys[k].read(it, entry->value) != 0)
            return -1;
    }
    return 0;
}

static int read_time(const yoml_t *value, const char *name, uint32_t least_ms, uint32_t *out_ms)
{
    uint64_t ms;

    if (value->type != YOML_TYPE_SCALAR || !conf_number_read(value->data.scalar, CONF_UNIT_MS, least_ms, INT32_MAX, &ms))
        return conf_complain(value, "weir.state: `%s` is a time: 250ms, 30s, 5m", name);
    *out_ms = (uint32_t)ms;
    return 0;
}

static int read_path(const reading_t *it, const yoml_t *value, const char *name, const char **out)
{
    if (text_of(value) == NULL)
        return conf_complain(value, "weir.state: `%s` is the name of a file", name);
    *out = keep(it->conf, conf_beside(it->conf, value->data.scalar));
    return 0;
}

/* ---- etcd ---- */

static int add_endpoint(const reading_t *it, const yoml_t *value)
{
    weir_etcd_settings_t *store = &it->etcd->follow.store;
    char problem[WEIR_ETCD_PROBLEM_BYTES];

    if (text_of(value) == NULL)
        return conf_complain(value, "weir.state: an endpoint is `https://HOST:PORT`, `http://HOST:PORT` or `HOST:PORT`");
    if (store->endpoint_count == CONF_ETCD_ENDPOINTS_MOST)
        return conf_complain(value, "weir.state: there are more than %d endpoints", CONF_ETCD_ENDPOINTS_MOST);
    const char *endpoint = value->data.scalar;
    weir_etcd_t *etcd = weir_etcd_create(&(weir_etcd_settings_t){.endpoints = &endpoint, .endpoint_count = 1}, problem);
    if (etcd == NULL)
        return conf_complain(value, "weir.state: %s", problem);
    weir_etcd_destroy(&etcd);
    it->etcd->endpoints[store->endpoint_count++] = keep(it->conf, endpoint);
    return 0;
}

static int read_endpoints(const reading_t *it, const yoml_t *value)
{
    if (value->type != YOML_TYPE_SEQUENCE)
        return add_endpoint(it, value);
    for (size_t i = 0; i < value->data.sequence.size; i++)
        if (add_endpoint(it, value->data.sequence.elements[i]) != 0)
            return -1;
    return 0;
}

static int read_prefix(const reading_t *it, const yoml_t *value)
{
    const char *text = text_of(value);
    const size_t length = text == NULL ? 0 : strlen(text);

    if (length < 2 || length > PREFIX_MOST || text[0] != '/' || text[length - 1] == '/')
        return conf_complain(value, "weir.state: `prefix` begins with /, does not end with it, and has %d characters at most",
                             PREFIX_MOST);
    it->etcd->follow.prefix = keep(it->conf, text);
    return 0;
}

static int read_user(const reading_t *it, const yoml_t *value)
{
    if (text_of(value) == NULL)
        return conf_complain(value, "weir.state: `user` is a name");
    it->etcd->follow.store.user = keep(it->conf, value->data.scalar);
    return 0;
}

static int read_password_file(const reading_t *it, const yoml_t *value)
{
    return read_path(it, value, "password-file", &it->etcd->follow.store.password_file);
}

static int read_ca_file(const reading_t *it, const yoml_t *value)
{
    return read_path(it, value, "ca-file", &it->etcd->follow.store.ca_file);
}

static int read_certificate_file(const reading_t *it, const yoml_t *value)
{
    return read_path(it, value, "certificate-file", &it->etcd->follow.store.certificate_file);
}

static int read_key_file(const reading_t *it, const yoml_t *value)
{
    return read_path(it, value, "key-file", &it->etcd->follow.store.key_file);
}

static int read_server_name(const reading_t *it, const yoml_t *value)
{
    if (text_of(value) == NULL)
        return conf_complain(value, "weir.state: `server-name` is a name");
    it->etcd->follow.store.server_name = keep(it->conf, value->data.scalar);
    return 0;
}

static int read_tls(const reading_t *it, const yoml_t *value)
{
    static const state_key_t keys[] = {{"ca-file", read_ca_file},
                                       {"certificate-file", read_certificate_file},
                                       {"key-file", read_key_file},
                                       {"server-name", read_server_name},
                                       {NULL, NULL}};

    it->etcd->follow.store.has_tls = true;
    return read_mapping(it, value, "tls", keys);
}

static int read_status(const reading_t *it, const yoml_t *value)
{
    bool is_on;

    if (value->type != YOML_TYPE_SCALAR || !conf_flag_read(value->data.scalar, &is_on))
        return conf_complain(value, "weir.state: `status` is ON or OFF");
    if (!is_on)
        it->etcd->follow.node = "";
    return 0;
}

static int read_node(const reading_t *it, const yoml_t *value)
{
    const char *text = text_of(value);

    if (text == NULL || strlen(text) > NODE_MOST || strchr(text, '/') != NULL)
        return conf_complain(value, "weir.state: `node` is a name of %d characters at most, without /", NODE_MOST);
    if (it->etcd->follow.node == NULL)
        it->etcd->follow.node = keep(it->conf, text);
    return 0;
}

static int read_address(const reading_t *it, const yoml_t *value)
{
    if (text_of(value) == NULL)
        return conf_complain(value, "weir.state: `address` is where this node is reached");
    it->etcd->follow.address = keep(it->conf, value->data.scalar);
    return 0;
}

static int read_resync(const reading_t *it, const yoml_t *value)
{
    return read_time(value, "resync", 0, &it->etcd->follow.resync_ms);
}

/* All that it is made of: whether a reload changes it. */
static void note_text(const reading_t *it)
{
    const state_follow_settings_t *follow = &it->etcd->follow;
    const weir_etcd_settings_t *store = &follow->store;
    const char *const parts[] = {follow->prefix,     store->ca_file,       store->certificate_file, store->key_file,
                                 store->server_name, store->user,          store->password_file,    follow->node,
                                 follow->address,    follow->snapshot_file};
    char text[TEXT_BYTES];
    size_t used = (size_t)snprintf(text, sizeof(text), "%d %u %u", store->has_tls, follow->resync_ms, follow->save_ms);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "\n%s", parts[i] == NULL ? "-" : parts[i]);
    for (size_t i = 0; i < store->endpoint_count && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "\n%s", it->etcd->endpoints[i]);
    it->etcd->text = keep(it->conf, text);
}

static int settle(const reading_t *it, const yoml_t *node)
{
    state_follow_settings_t *follow = &it->etcd->follow;
    char host[NODE_MOST + 1] = "weir";

    follow->store.endpoints = it->etcd->endpoints;
    if (follow->store.endpoint_count == 0)
        return conf_complain(node, "weir.state: etcd has `endpoints`, one at least");
    if (follow->store.user != NULL && follow->store.password_file == NULL)
        return conf_complain(node, "weir.state: `user` needs `password-file`");
    if (follow->store.key_file != NULL && follow->store.certificate_file == NULL)
        return conf_complain(node, "weir.state: `key-file` needs `certificate-file`");
    (void)gethostname(host, NODE_MOST);
    if (follow->node == NULL)
        follow->node = keep(it->conf, host);
    if (follow->node[0] == '\0')
        follow->node = NULL; /* no status */
    return 0;
}

static int read_etcd(const reading_t *it, const yoml_t *value)
{
    static const state_key_t keys[] = {{"endpoints", read_endpoints},
                                       {"prefix", read_prefix},
                                       {"tls", read_tls},
                                       {"user", read_user},
                                       {"password-file", read_password_file},
                                       {"status", read_status},
                                       {"node", read_node},
                                       {"address", read_address},
                                       {"resync", read_resync},
                                       {NULL, NULL}};

    it->conf->state_etcd = it->etcd;
    return read_mapping(it, value, "etcd", keys) != 0 ? -1 : settle(it, value);
}

/* ---- the rest ---- */

static int read_files(const reading_t *it, const yoml_t *value)
{
    if (text_of(value) == NULL)
        return conf_complain(value, "weir.state: `files` is the name of a directory");
    it->conf->state_files = keep(it->conf, conf_beside(it->conf, value->data.scalar));
    return 0;
}

static int read_snapshot(const reading_t *it, const yoml_t *value)
{
    return read_path(it, value, "snapshot", &it->etcd->follow.snapshot_file);
}

static int read_save(const reading_t *it, const yoml_t *value)
{
    return read_time(value, "snapshot-interval", 100, &it->etcd->follow.save_ms);
}

static int read_wait(const reading_t *it, const yoml_t *value)
{
    return read_time(value, "wait", 0, &it->conf->state_wait_ms);
}

int conf_state_read(conf_t *conf, const yoml_t *node)
{
    static const state_key_t keys[] = {{"files", read_files},       {"etcd", read_etcd},
                                       {"snapshot", read_snapshot}, {"snapshot-interval", read_save},
                                       {"wait", read_wait},         {NULL, NULL}};
    conf_etcd_t *etcd = weir_arena_alloc(&conf->arena, sizeof(*etcd));
    const reading_t it = {conf, etcd};

    *etcd = (conf_etcd_t){.follow = {.prefix = "/weir", .resync_ms = RESYNC_MS, .save_ms = SAVE_MS}};
    conf->state_wait_ms = WAIT_MS;
    if (node->type != YOML_TYPE_MAPPING || (conf_yaml_get(node, "files") == NULL) == (conf_yaml_get(node, "etcd") == NULL))
        return conf_complain(node, "weir.state: must be a mapping with `files`, a directory, or `etcd`, a store");
    if (conf_yaml_get(node, "files") != NULL && conf_yaml_get(node, "snapshot") != NULL)
        return conf_complain(node, "weir.state: `snapshot` is of a store: files are there at the start");
    if (read_mapping(&it, node, "weir.state", keys) != 0)
        return -1;
    note_text(&it);
    return 0;
}
