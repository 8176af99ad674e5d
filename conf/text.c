/* SPDX-License-Identifier: MIT */
/*
 * A piece of configuration that came while the proxy runs: JSON, which is read as such. YAML's reader has buffers of 64 KiB,
 * and other rules for names.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/complain.h"
#include "conf/config_node.h"
#include "conf/yaml.h"
#include "conf/yaml_node.h"
#include "lib/base/must.h"

static const conf_place_t nowhere = {conf_no_file, 0, 0};

static yoml_t *node_of(const json_t *value);

static yoml_t *scalar_of(const char *text)
{
    return conf_node_scalar(nowhere, (weir_span_t){text, strlen(text)});
}

/* Numbers, true, false and null are the words that they are written with. */
static yoml_t *word_of(const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    WEIR_MUST(text != NULL);
    yoml_t *node = scalar_of(text);
    free(text);
    return node;
}

static yoml_t *list_of(const json_t *array)
{
    yoml_t *list = conf_node_list(nowhere);
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item) list = conf_node_list_add(list, node_of(item));
    return list;
}

static yoml_t *map_of(const json_t *object)
{
    conf_entries_t entries = {0};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        conf_entries_add(&entries, scalar_of(key), node_of(value), false);
    return conf_node_map(nowhere, &entries);
}

/* As deep as the reader of JSON lets it be. */
static yoml_t *node_of(const json_t *value)
{
    if (json_is_object(value))
        return map_of(value);
    if (json_is_array(value))
        return list_of(value);
    return json_is_string(value) ? scalar_of(json_string_value(value)) : word_of(value);
}

WEIR_API bool weir_config_of_text(const char *json, size_t length, bool (*read)(void *context, const weir_config_t *node),
                                  void *context, char *problem, size_t bytes)
{
    json_t *document = json_loadb(json, length, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(document)) {
        json_decref(document);
        snprintf(problem, bytes, "this is no JSON object");
        return false;
    }
    yoml_t *node = map_of(document);
    json_decref(document);
    problem[0] = '\0';
    conf_complain_into(problem, bytes);
    const bool is_fine = read(context, conf_config_of(node));
    conf_complain_into(NULL, 0);
    conf_yaml_release(&node);
    return is_fine;
}
