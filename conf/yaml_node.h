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

/** The file of what came in no file: all such nodes share it. */
extern const char conf_no_file[];

/** Where `node` begins. */
conf_place_t conf_node_place(const yoml_t *node);

/** A scalar at the place of `node`. */
yoml_t *conf_node_text(const yoml_t *node, const char *text);

/** Adds `name: value` to `entries`, at the place of `node`. */
void conf_entries_put(conf_entries_t *entries, const yoml_t *node, const char *name, yoml_t *value);

yoml_t *conf_node_scalar(conf_place_t place, weir_span_t text);

/** An empty list. */
yoml_t *conf_node_list(conf_place_t place);

/** Adds `item` to `list`, which may move, and takes over its reference. */
yoml_t *conf_node_list_add(yoml_t *list, yoml_t *item);

/** A mapping of the entries that are not overruled; `entries` is left empty. */
yoml_t *conf_node_map(conf_place_t place, conf_entries_t *entries);

#endif
