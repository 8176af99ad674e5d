/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_YAML_NODE_H
#define WEIR_CONF_YAML_NODE_H
/**
 * @file  Makes nodes; see yaml.h for what becomes of them.
 */
#include "conf/yaml_merge.h"

/** Where a node begins; line and column from 0. */
typedef struct conf_place {
    const char *file;
    size_t line, column;
} conf_place_t;

yoml_t *conf_node_scalar(conf_place_t place, weir_span_t text);

/** An empty list. */
yoml_t *conf_node_list(conf_place_t place);

/** Adds `item` to `list`, which may move, and takes over its reference. */
yoml_t *conf_node_list_add(yoml_t *list, yoml_t *item);

/** A mapping of the entries that are not overruled; `entries` is left empty. */
yoml_t *conf_node_map(conf_place_t place, conf_entries_t *entries);

#endif
