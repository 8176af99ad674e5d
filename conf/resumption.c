/* SPDX-License-Identifier: MIT */
#include "conf/resumption.h"

#include <string.h>
#include <strings.h>

#include "conf/complain.h"
#include "conf/units.h"
#include "conf/yaml.h"
#include "lib/wire/tls/tls.h"

enum { LIFETIME_S = 3600, LIFETIME_MOST_S = 604800 /* RFC 8446 §4.6.1 */ };

static bool is(const yoml_t *node, const char *word)
{
    return strcasecmp(node->data.scalar, word) == 0;
}

static int read_mode(conf_t *conf, const yoml_t *value)
{
    conf->resumption.is_off = is(value, "off");
    return conf->resumption.is_off || is(value, "all") || is(value, "ticket") || is(value, "cache")
               ? 0
               : conf_complain(value, "ssl-session-resumption: mode must be off, all, ticket or cache");
}

static int read_lifetime(conf_t *conf, const yoml_t *value)
{
    uint64_t seconds;

    if (!conf_number_read(value->data.scalar, CONF_UNIT_S, 1, LIFETIME_MOST_S, &seconds))
        return conf_complain(value, "ssl-session-resumption: lifetime must be %s from 1 to %d", conf_unit_sentence(CONF_UNIT_S),
                             LIFETIME_MOST_S);
    conf->resumption.lifetime_s = (uint32_t)seconds;
    return 0;
}

static int read_ticket_store(conf_t *conf, const yoml_t *value)
{
    return is(value, "internal") || is(value, "file")
               ? 0
               : conf_complain(value, "ssl-session-resumption: ticket-store must be internal or file");
}

static int read_ticket_file(conf_t *conf, const yoml_t *value)
{
    const char *path = conf_beside_or_here(conf, value->data.scalar);

    conf->resumption.ticket_file = weir_arena_copy(&conf->arena, (weir_span_t){path, strlen(path)}).base;
    return 0;
}

static int read_cache_store(conf_t *conf, const yoml_t *value)
{
    return is(value, "internal") ? 0
                                 : conf_complain(value, "ssl-session-resumption: there is no cache but the clients' (tickets)");
}

static int read_algorithm(conf_t *conf, const yoml_t *value)
{
    if (is(value, "aes-128-cbc") || is(value, "sha1"))
        conf_warn(value, "ssl-session-resumption: keys made here are for AES-256-CBC and SHA256, which is more");
    else if (!is(value, "aes-256-cbc") && !is(value, "sha256"))
        return conf_complain(value, "ssl-session-resumption: tickets are made with AES-256-CBC and SHA256");
    return 0;
}

static const struct {
    const char *name;
    int (*read)(conf_t *conf, const yoml_t *value);
} keys[] = {
    {"mode", read_mode},
    {"lifetime", read_lifetime},
    {"ticket-store", read_ticket_store},
    {"ticket-file", read_ticket_file},
    {"cache-store", read_cache_store},
    {"ticket-cipher", read_algorithm},
    {"ticket-hash", read_algorithm},
};

static int complain_about_key(const yoml_t *key)
{
    const char *names[sizeof(keys) / sizeof(keys[0]) + 1] = {NULL};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        names[i] = keys[i].name;
    return conf_complain_unknown(key, "ssl-session-resumption", names);
}

static int read_entry(conf_t *conf, const yoml_mapping_element_t *entry)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].name, entry->key->data.scalar) != 0)
            continue;
        if (entry->value->type != YOML_TYPE_SCALAR)
            return conf_complain(entry->value, "ssl-session-resumption: %s must be a scalar", keys[i].name);
        return keys[i].read(conf, entry->value);
    }
    return complain_about_key(entry->key);
}

/* Of the scalar `name` of the mapping. */
static bool says(const yoml_t *node, const char *name, const char *word)
{
    for (size_t i = 0; i < node->data.mapping.size; i++)
        if (strcmp(node->data.mapping.elements[i].key->data.scalar, name) == 0)
            return is(node->data.mapping.elements[i].value, word);
    return false;
}

int conf_resumption_read(conf_t *conf, const yoml_t *node)
{
    bool is_fine = true;

    if (node->type != YOML_TYPE_MAPPING)
        return conf_complain(node, "ssl-session-resumption must be a mapping");
    for (size_t i = 0; i < node->data.mapping.size; i++)
        if (conf_yaml_is_first(node, i))
            is_fine = read_entry(conf, &node->data.mapping.elements[i]) == 0 && is_fine;
    if (!is_fine)
        return -1;
    if (says(node, "ticket-store", "file") != (conf->resumption.ticket_file != NULL))
        return conf_complain(node, "ssl-session-resumption: ticket-store: file and ticket-file need each other");
    conf->resumption.where = conf_where(&conf->arena, node);
    return 0;
}

bool conf_resumption_finish(conf_t *conf)
{
    const conf_resumption_t *wish = &conf->resumption;
    uint32_t lifetime_s = wish->lifetime_s != 0 ? wish->lifetime_s : LIFETIME_S;
    char problem[WEIR_TLS_PROBLEM_BYTES];
    weir_tls_tickets_t *tickets = wish->is_off ? NULL : weir_tls_tickets_open(wish->ticket_file, lifetime_s, problem);

    if (tickets == NULL && !wish->is_off)
        return conf_complain_at(wish->where, 0, "ssl-session-resumption: %s", problem);
    for (size_t i = 0; i < conf->listens.count; i++)
        if (conf->listens.at[i].tls != NULL)
            weir_tls_set_tickets(conf->listens.at[i].tls, tickets);
    weir_tls_tickets_release(&tickets);
    return true;
}
