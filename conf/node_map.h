/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_NODE_MAP_H
#define WEIR_CONF_NODE_MAP_H
/**
 * @file  From a node of a document to what was made for it. Nodes are told apart by their address and are not looked at.
 */
#include <stddef.h>

#include "yoml.h"

/** Zeroed, it is empty. */
typedef struct conf_node_map {
    struct conf_node_slot *slots;
    size_t count, capacity;
} conf_node_map_t;

/** What was made for `node`, or NULL. */
void *conf_node_map_get(const conf_node_map_t *map, const yoml_t *node);

/** Keeps `made`, not NULL, for a node that has none. */
void conf_node_map_put(conf_node_map_t *map, const yoml_t *node, void *made);

/** Leaves it empty. */
void conf_node_map_finish(conf_node_map_t *map);

#endif
