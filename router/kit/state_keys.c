/* SPDX-License-Identifier: MIT */
#include "state_keys.h"

#include "alloc.h"

enum { SYNC_MS = 100 };

static bool read_sync(const weir_config_t *config, struct weir_kit *kit)
{
    static const char *const words[] = {"group", "always", NULL};
    unsigned which = 0;

    if (!weir_config_word(config, "state-sync", words, &which))
        return false;
    kit->state_sync_ms = which == 1 ? 0 : SYNC_MS;
    return weir_config_get(config, "state-sync") == NULL || kit->state_path != NULL ||
           weir_config_wrong(weir_config_get(config, "state-sync"),
                             "state-sync says something of a state-file, which is missing");
}

bool kit_state_keys_read(const weir_config_t *config, struct weir_kit *kit)
{
    const weir_config_t *node = weir_config_get(config, "state-file");
    const char *path = NULL;

    if (node != NULL && !weir_config_string(config, "state-file", &path))
        return false;
    if (path != NULL && path[0] != '/')
        return weir_config_wrong(node, "`%s`: a state-file is written with its whole path", path);
    kit->state_path = kit_copy(path);
    return read_sync(config, kit);
}

json_t *kit_config_json(const weir_config_t *node)
{
    const weir_config_kind_t kind = weir_config_kind(node);
    json_t *json;

    if (kind != WEIR_CONFIG_MAP && kind != WEIR_CONFIG_LIST)
        return json_string(weir_config_text(node));
    json = kind == WEIR_CONFIG_MAP ? json_object() : json_array();
    for (size_t i = 0; i < weir_config_count(node); i++) {
        json_t *value = kit_config_json(weir_config_at(node, i));
        if (kind == WEIR_CONFIG_LIST)
            json_array_append_new(json, value);
        else
            json_object_set_new(json, weir_config_text(weir_config_key(node, i)), value);
    }
    return json;
}
