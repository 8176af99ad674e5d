/* SPDX-License-Identifier: MIT */
#include "conf/yaml_node.h"

#include <stdlib.h>
#include <string.h>

#include "conf/yaml.h"
#include "lib/base/must.h"

const char conf_no_file[] = "-";

static yoml_t *create_node(yoml_type_t type, conf_place_t place, size_t extra_bytes)
{
    yoml_t *node = calloc(1, sizeof(*node) + extra_bytes);

    WEIR_MUST(node != NULL);
    node->type = type;
    node->filename = place.file == conf_no_file ? (char *)(uintptr_t)conf_no_file : strdup(place.file);
    WEIR_MUST(node->filename != NULL);
    node->line = place.line;
    node->column = place.column;
    node->_refcnt = 1;
    return node;
}

yoml_t *conf_node_scalar(conf_place_t place, weir_span_t text)
{
    yoml_t *node = create_node(YOML_TYPE_SCALAR, place, 0);

    node->data.scalar = strndup(text.base, text.len);
    WEIR_MUST(node->data.scalar != NULL);
    return node;
}

yoml_t *conf_node_list(conf_place_t place)
{
    return create_node(YOML_TYPE_SEQUENCE, place, 0);
}

yoml_t *conf_node_list_add(yoml_t *list, yoml_t *item)
{
    size_t size = list->data.sequence.size;

    /* There is room for one; from then on it grows at every power of two. */
    if (size > 0 && (size & (size - 1)) == 0) {
        list = realloc(list, sizeof(*list) + 2 * size * sizeof(list->data.sequence.elements[0]));
        WEIR_MUST(list != NULL);
    }
    list->data.sequence.elements[size] = item;
    list->data.sequence.size++;
    return list;
}

yoml_t *conf_node_map(conf_place_t place, conf_entries_t *entries)
{
    yoml_t *map = create_node(YOML_TYPE_MAPPING, place, entries->count * sizeof(map->data.mapping.elements[0]));

    for (size_t i = 0; i < entries->count; i++) {
        conf_entry_t *entry = &entries->at[i];
        if (entry->is_overruled)
            continue;
        map->data.mapping.elements[map->data.mapping.size++] = (yoml_mapping_element_t){entry->key, entry->value};
        entry->key = entry->value = NULL;
    }
    conf_entries_finish(entries);
    return map;
}

static void free_children(yoml_t *node)
{
    switch (node->type) {
    case YOML_TYPE_SCALAR:
        free(node->data.scalar);
        return;
    case YOML_TYPE_SEQUENCE:
        for (size_t i = 0; i < node->data.sequence.size; i++)
            conf_yaml_release(&node->data.sequence.elements[i]);
        return;
    case YOML_TYPE_MAPPING:
        for (size_t i = 0; i < node->data.mapping.size; i++) {
            conf_yaml_release(&node->data.mapping.elements[i].key);
            conf_yaml_release(&node->data.mapping.elements[i].value);
        }
        return;
    }
}

void conf_yaml_release(yoml_t **node)
{
    yoml_t *last = *node;

    *node = NULL;
    if (last == NULL || --last->_refcnt > 0)
        return;
    free_children(last);
    if (last->filename != conf_no_file)
        free(last->filename);
    free(last->anchor);
    free(last->tag);
    free(last);
}

conf_place_t conf_node_place(const yoml_t *node)
{
    return (conf_place_t){.file = node->filename, .line = node->line, .column = node->column};
}

yoml_t *conf_node_text(const yoml_t *node, const char *text)
{
    return conf_node_scalar(conf_node_place(node), (weir_span_t){text, strlen(text)});
}

void conf_entries_put(conf_entries_t *entries, const yoml_t *node, const char *name, yoml_t *value)
{
    conf_entries_add(entries, conf_node_text(node, name), value, false);
}

yoml_t *conf_yaml_join(yoml_t *first, yoml_t *second)
{
    conf_place_t place = {second->filename, second->line, second->column};
    conf_entries_t entries = {0};

    WEIR_MUST(conf_entries_merge(&entries, first) && conf_entries_merge(&entries, second));
    return conf_node_map(place, &entries);
}

yoml_t *conf_yaml_get(const yoml_t *node, const char *name)
{
    if (node == NULL || node->type != YOML_TYPE_MAPPING)
        return NULL;
    for (size_t i = 0; i < node->data.mapping.size; i++) {
        const yoml_mapping_element_t *element = &node->data.mapping.elements[i];
        if (element->key->type == YOML_TYPE_SCALAR && strcmp(element->key->data.scalar, name) == 0)
            return element->value;
    }
    return NULL;
}

bool conf_yaml_is_first(const yoml_t *mapping, size_t index)
{
    const yoml_mapping_element_t *element = &mapping->data.mapping.elements[index];

    return conf_yaml_get(mapping, element->key->data.scalar) == element->value;
}
