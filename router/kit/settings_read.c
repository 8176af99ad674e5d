/* SPDX-License-Identifier: MIT */
/* What a map of the configuration says of an app, over what was said before. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"
#include "settings_fields.h"
#include "worker_token.h"
#include "weir_span.h"

enum { NAME_BYTES = 128, PATH_BYTES = 4096, GROUP_KEYS_MOST = 24 };

/* ---- entries ---- */

/* A scalar is a list of one. */
static size_t entry_count(const weir_config_t *node)
{
    return weir_config_kind(node) == WEIR_CONFIG_SCALAR ? 1 : weir_config_count(node);
}

static const weir_config_t *entry_at(const weir_config_t *node, size_t index)
{
    return weir_config_kind(node) == WEIR_CONFIG_SCALAR ? node : weir_config_at(node, index);
}

static bool is_map(const weir_config_t *node)
{
    return weir_config_kind(node) == WEIR_CONFIG_MAP;
}

static void set_text(const char **at, const char *text)
{
    char *copy = kit_copy(text);

    free((char *)(uintptr_t)*at);
    *at = copy;
}

static bool is_token(const char *text)
{
    const size_t length = strlen(text);

    return length > 0 && length <= NAME_BYTES &&
           strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~") == length;
}

/* The NAME of "header NAME", which is a token; else NULL. */
static const char *name_behind(const char *word, const char *text)
{
    const size_t length = strlen(word);

    if (strncasecmp(text, word, length) != 0 || text[length] != ' ')
        return NULL;
    text += length + strspn(text + length, " ");
    return is_token(text) ? text : NULL;
}

/* ---- fields by their kind ---- */

static bool read_number(const kit_field_t *field, const weir_config_t *map, uint32_t *out)
{
    uint64_t number = *out;

    if (!weir_config_number(map, field->key, field->least, field->most, &number))
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool read_bound(const kit_field_t *field, const weir_config_t *map, uint32_t *out)
{
    const char *text = weir_config_text(weir_config_get(map, field->key));
    uint64_t number;

    if (text == NULL || !weir_span_to_number((weir_span_t){text, strlen(text)}, &number) || number > field->most ||
        (number != 0 && number < field->least))
        return weir_config_wrong(weir_config_get(map, field->key), "%s: must be 0 or a number from %u to %u", field->key,
                                 field->least, field->most);
    *out = (uint32_t)number;
    return true;
}

static bool read_words(const kit_field_t *field, const weir_config_t *node, uint32_t *out)
{
    uint32_t bits = 0;
    unsigned which;

    if (is_map(node))
        return weir_config_wrong(node, "%s: must be a list of words", field->key);
    for (size_t i = 0; i < entry_count(node); i++) {
        if (!weir_config_word_at(entry_at(node, i), field->key, field->words, &which))
            return false;
        bits |= 1U << which;
    }
    *out = bits;
    return true;
}

static bool read_status(const kit_field_t *field, const weir_config_t *node, kit_status_set_t *out)
{
    *out = (kit_status_set_t){{0}};
    for (size_t i = 0; i < entry_count(node); i++) {
        const weir_config_t *entry = entry_at(node, i);
        const char *text = is_map(node) ? NULL : weir_config_text(entry);

        if (text == NULL || !kit_status_add(out, (weir_span_t){text, strlen(text)}, field->least, field->most))
            return weir_config_wrong(entry, "%s: must be status codes from %u to %u, one by one or as 502-504", field->key,
                                     field->least, field->most);
    }
    return true;
}

static bool read_value(const kit_field_t *field, const weir_config_t *map, const char **out)
{
    const char *text = NULL;

    if (!weir_config_string(map, field->key, &text))
        return false;
    for (const char *at = text; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return weir_config_wrong(weir_config_get(map, field->key), "%s: must be ASCII without blanks", field->key);
    if (text[0] == '\0' || strlen(text) > field->most)
        return weir_config_wrong(weir_config_get(map, field->key), "%s: must be a text of 1 to %u characters", field->key,
                                 field->most);
    set_text(out, text);
    return true;
}

static bool read_text(const kit_field_t *field, const weir_config_t *map, const char **out)
{
    const char *text = NULL;

    if (!weir_config_string(map, field->key, &text))
        return false;
    set_text(out, text);
    return true;
}

static bool read_path(const kit_field_t *field, const weir_config_t *map, const char **out)
{
    char path[PATH_BYTES];

    if (!weir_config_path(map, field->key, path, sizeof(path)))
        return false;
    set_text(out, path);
    return true;
}

static bool read_client(const kit_field_t *field, const weir_config_t *node, const char **out)
{
    const char *text = weir_config_text(node), *name = text == NULL ? NULL : name_behind("header", text);

    if (text == NULL || (name == NULL && strcasecmp(text, "address") != 0))
        return weir_config_wrong(node, "%s: must be `address` or `header NAME`", field->key);
    set_text(out, name);
    return true;
}

/* As a list is kept: its items, set apart by blanks. */
static bool read_list(const kit_field_t *field, const weir_config_t *node,
                      bool (*read)(const weir_config_t *item, char text[KIT_WORKER_ITEM_BYTES]), const char **out)
{
    const size_t count = is_map(node) ? 1 : entry_count(node);
    char *all = kit_alloc(count * KIT_WORKER_ITEM_BYTES + 1, 1), item[KIT_WORKER_ITEM_BYTES];

    if (count > KIT_WORKER_ITEMS_MOST) {
        free(all);
        return weir_config_wrong(node, "%s: at most %d of them", field->key, KIT_WORKER_ITEMS_MOST);
    }
    for (size_t i = 0; i < count; i++) {
        if (!read(is_map(node) ? node : entry_at(node, i), item)) {
            free(all);
            return false;
        }
        const size_t bytes = strlen(all);
        snprintf(all + bytes, KIT_WORKER_ITEM_BYTES + 1, "%s%s", i == 0 ? "" : " ", item);
    }
    set_text(out, all);
    free(all);
    return true;
}

static bool read_name(const weir_config_t *item, char text[KIT_WORKER_ITEM_BYTES])
{
    const char *name = weir_config_text(item);

    if (name == NULL || strchr(name, '/') != NULL || kit_domains_problem((weir_span_t){name, strlen(name)}) != NULL)
        return weir_config_wrong(item, "domains: `%s` is no domain that a worker could claim", name == NULL ? "" : name);
    kit_domain_text((weir_span_t){name, strlen(name)}, text);
    return true;
}

static bool read_field(const kit_field_t *field, const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, field->key);
    void *at = kit_field_of(field, settings);

    if (node == NULL)
        return true;
    switch (field->kind) {
    case KIT_FIELD_FLAG:
        return weir_config_flag(map, field->key, at);
    case KIT_FIELD_NUMBER:
        return read_number(field, map, at);
    case KIT_FIELD_BOUND:
        return read_bound(field, map, at);
    case KIT_FIELD_LONG:
        return weir_config_number(map, field->key, 0, INT64_MAX, at);
    case KIT_FIELD_MS:
        return weir_config_duration_ms(map, field->key, field->least, field->most, at);
    case KIT_FIELD_WORD:
        return weir_config_word(map, field->key, field->words, at);
    case KIT_FIELD_WORDS:
        return read_words(field, node, at);
    case KIT_FIELD_STATUS:
        return read_status(field, node, at);
    case KIT_FIELD_TEXT:
        return read_text(field, map, at);
    case KIT_FIELD_TOKENS:
        return read_list(field, node, kit_worker_token_read, at);
    case KIT_FIELD_NAMES:
        return read_list(field, node, read_name, at);
    case KIT_FIELD_VALUE:
        return read_value(field, map, at);
    case KIT_FIELD_PATH:
        return read_path(field, map, at);
    case KIT_FIELD_CLIENT:
        return read_client(field, node, at);
    }
    abort();
}

static bool is_in_group(const kit_field_t *field, const char *group)
{
    return group == NULL || field->group == NULL ? group == field->group : strcmp(group, field->group) == 0;
}

static bool read_fields(const weir_config_t *map, const char *group, kit_settings_t *settings)
{
    for (size_t i = 0; i < kit_field_count; i++)
        if (is_in_group(&kit_fields[i], group) && !read_field(&kit_fields[i], map, settings))
            return false;
    return true;
}

/* ---- hash-on ---- */

static bool read_source(const weir_config_t *node, kit_hash_on_t *out)
{
    static const char *const words[] = {"client", "path", "path-query", "host"}; /* in the order of kit_hash_source_t */
    const char *text = weir_config_text(node);

    *out = (kit_hash_on_t){KIT_HASH_CLIENT, NULL};
    for (unsigned i = 0; text != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) != 0)
            continue;
        out->source = (kit_hash_source_t)i;
        return true;
    }
    if (text == NULL || (name_behind("header", text) == NULL && name_behind("cookie", text) == NULL))
        return weir_config_wrong(node, "hash-on: must be client, path, path-query, host, `header NAME` or `cookie NAME`, or a "
                                       "list of these");
    out->source = name_behind("header", text) != NULL ? KIT_HASH_HEADER : KIT_HASH_COOKIE;
    out->name = kit_copy(name_behind(out->source == KIT_HASH_HEADER ? "header" : "cookie", text));
    return true;
}

static bool read_hash_on(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "hash-on");

    if (node == NULL)
        return true;
    if (is_map(node) || entry_count(node) > KIT_HASH_ON_MOST)
        return weir_config_wrong(node, "hash-on: must be a list of at most %d sources", KIT_HASH_ON_MOST);
    for (; settings->hash_on_count > 0; settings->hash_on_count--)
        set_text(&settings->hash_on[settings->hash_on_count - 1].name, NULL);
    for (size_t i = 0; i < entry_count(node); i++) {
        if (!read_source(entry_at(node, i), &settings->hash_on[i]))
            return false;
        settings->hash_on_count++;
    }
    return true;
}

/* ---- maps within the map ---- */

static bool has_group_keys(const weir_config_t *node, const char *group)
{
    const char *keys[GROUP_KEYS_MOST];
    size_t count = 0;

    for (size_t i = 0; i < kit_field_count; i++)
        if (is_in_group(&kit_fields[i], group) && count < GROUP_KEYS_MOST - 1)
            keys[count++] = kit_fields[i].key;
    keys[count] = NULL;
    return weir_config_keys(node, keys);
}

static bool read_group(const weir_config_t *node, const char *group, kit_settings_t *settings)
{
    return has_group_keys(node, group) && read_fields(node, group, settings);
}

static bool read_affinity(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "affinity");
    kit_affinity_settings_t *affinity = &settings->affinity;
    const char *problem;

    if (weir_config_kind(node) == WEIR_CONFIG_SCALAR)
        return weir_config_flag(map, "affinity", &affinity->is_on);
    if (node == NULL)
        return true;
    if (!is_map(node))
        return weir_config_wrong(node, "affinity: must be ON, OFF or a map of settings");
    if (!read_group(node, "affinity", settings))
        return false;
    affinity->is_on = true;
    if (affinity->cookie.domain != NULL && affinity->cookie.domain[0] == '\0')
        set_text(&affinity->cookie.domain, NULL);
    problem = kit_cookie_problem(&affinity->cookie);
    return problem == NULL || weir_config_wrong(node, "affinity: %s", problem);
}

static bool read_queue(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "queue");

    if (node != NULL && !is_map(node))
        return weir_config_wrong(node, "queue: must be a map of length, timeout, order and client");
    return read_group(node, "queue", settings);
}

static void clear_health_kind(kit_health_settings_t *health)
{
    set_text(&health->http_path, NULL);
    set_text(&health->grpc_service, NULL);
    health->is_tcp = false;
    health->kind = KIT_HEALTH_NONE;
}

static bool set_health_kind(const weir_config_t *node, kit_health_settings_t *health)
{
    if (health->is_tcp + (health->http_path != NULL) + (health->grpc_service != NULL) != 1)
        return weir_config_wrong(node, "health: must have one of `http: /path`, `tcp: ON` and `grpc: SERVICE`");
    if (health->http_path != NULL && health->http_path[0] != '/')
        return weir_config_wrong(weir_config_get(node, "http"), "http: must be a path that begins with /");
    for (const char *at = health->grpc_service; at != NULL && *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return weir_config_wrong(weir_config_get(node, "grpc"), "grpc: must be the name of a service, or \"\"");
    health->kind = health->is_tcp ? KIT_HEALTH_TCP : health->http_path != NULL ? KIT_HEALTH_HTTP : KIT_HEALTH_GRPC;
    return true;
}

/* An app without checks where `defaults:` has some. */
static bool read_no_health(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "health");
    bool is_on = true;

    if (weir_config_kind(node) == WEIR_CONFIG_SCALAR && !weir_config_flag(map, "health", &is_on))
        return false;
    if (is_on)
        return weir_config_wrong(node, "health: must be OFF or a map with one of `http: /path`, `tcp: ON` and `grpc: SERVICE`");
    clear_health_kind(&settings->health);
    return true;
}

static bool read_health(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "health");

    if (node == NULL)
        return true;
    if (!is_map(node))
        return read_no_health(map, settings);
    if (weir_config_get(node, "http") != NULL || weir_config_get(node, "tcp") != NULL || weir_config_get(node, "grpc") != NULL)
        clear_health_kind(&settings->health);
    return read_group(node, "health", settings) && set_health_kind(node, &settings->health);
}

static bool read_retry(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "retry");

    if (node != NULL && !is_map(node))
        return weir_config_wrong(node, "retry: must be a map of settings");
    return read_group(node, "retry", settings);
}

/* ON, OFF, or a map; what it says of a wait holds unless `hold` says something. */
static bool read_workers(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "workers");
    bool is_on = true;

    if (node == NULL)
        return true;
    if (weir_config_kind(node) == WEIR_CONFIG_SCALAR && !weir_config_flag(map, "workers", &is_on))
        return false;
    if (weir_config_kind(node) != WEIR_CONFIG_SCALAR && (!is_map(node) || !read_group(node, "workers", settings)))
        return is_map(node) ? false
                            : weir_config_wrong(node, "workers: must be ON, OFF or a map of tokens, domains, max-connections");
    settings->workers.is_on = is_on;
    settings->workers.is_off = !is_on;
    if (is_on && weir_config_get(map, "hold") == NULL && settings->hold_ms == 0)
        settings->hold_ms = KIT_WORKER_HOLD_MS;
    return true;
}

static bool read_budget(const weir_config_t *map, kit_settings_t *settings)
{
    const weir_config_t *node = weir_config_get(map, "retry-budget");
    uint64_t percent = settings->retry.budget_percent;

    if (is_map(node))
        return read_group(node, "retry-budget", settings);
    if (!weir_config_number(map, "retry-budget", 0, 100, &percent))
        return false;
    settings->retry.budget_percent = (uint32_t)percent;
    return true;
}

bool kit_settings_read(const weir_config_t *node, kit_settings_t *settings)
{
    if (node == NULL)
        return true;
    if (!is_map(node))
        return weir_config_wrong(node, "the settings of an app are a map");
    if (!read_fields(node, NULL, settings) || !read_hash_on(node, settings) || !read_affinity(node, settings) ||
        !read_queue(node, settings) || !read_health(node, settings) || !read_retry(node, settings) ||
        !read_workers(node, settings) || !read_budget(node, settings))
        return false;
    return settings->quarantine.base_ms <= settings->quarantine.longest_ms ||
           weir_config_wrong(weir_config_get(node, "quarantine-base") != NULL ? weir_config_get(node, "quarantine-base")
                                                                              : weir_config_get(node, "quarantine-longest"),
                             "quarantine-base: must not be longer than quarantine-longest");
}
