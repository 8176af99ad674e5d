/* SPDX-License-Identifier: MIT */
#include "conf/yaml_json.h"

#include "conf/complain.h"

static json_t *list_of(const yoml_t *node)
{
    json_t *list = json_array();

    for (size_t i = 0; i < node->data.sequence.size; i++)
        json_array_append_new(list, conf_yaml_json(node->data.sequence.elements[i]));
    return list;
}

static json_t *map_of(const yoml_t *node)
{
    json_t *map = json_object();

    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *entry = &node->data.mapping.elements[i];
        if (json_object_get(map, entry->key->data.scalar) != NULL)
            (void)conf_complain(entry->key, "`%s` stands there twice", entry->key->data.scalar);
        json_object_set_new(map, entry->key->data.scalar, conf_yaml_json(entry->value));
    }
    return map;
}

json_t *conf_yaml_json(const yoml_t *node)
{
    if (node->type == YOML_TYPE_MAPPING)
        return map_of(node);
    if (node->type == YOML_TYPE_SEQUENCE)
        return list_of(node);
    json_t *text = json_string(node->type == YOML_TYPE_SCALAR ? node->data.scalar : NULL);
    if (text == NULL)
        (void)conf_complain(node, "this is no text");
    return text != NULL ? text : json_null();
}
