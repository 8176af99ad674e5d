/* SPDX-License-Identifier: MIT */
#include "conf/node_map.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/must.h"

enum { FIRST_CAPACITY = 16 }; /* a power of two, as all that follow; at most half of it is used */

struct conf_node_slot {
    const yoml_t *node; /* NULL: free */
    void *made;
};

/* The slot of `node`, or the free one where it would stand. */
static struct conf_node_slot *slot_of(const conf_node_map_t *map, const yoml_t *node)
{
    const uint64_t hash = (uint64_t)(uintptr_t)node * UINT64_C(0x9e3779b97f4a7c15); /* Knuth: 2^64 by the golden ratio */
    size_t i = (size_t)(hash >> 32) & (map->capacity - 1);

    while (map->slots[i].node != NULL && map->slots[i].node != node)
        i = (i + 1) & (map->capacity - 1);
    return &map->slots[i];
}

static void grow(conf_node_map_t *map)
{
    conf_node_map_t bigger = {.count = map->count, .capacity = map->capacity == 0 ? FIRST_CAPACITY : 2 * map->capacity};

    bigger.slots = calloc(bigger.capacity, sizeof(bigger.slots[0]));
    WEIR_MUST(bigger.slots != NULL);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].node != NULL)
            *slot_of(&bigger, map->slots[i].node) = map->slots[i];
    free(map->slots);
    *map = bigger;
}

void *conf_node_map_get(const conf_node_map_t *map, const yoml_t *node)
{
    return map->capacity == 0 ? NULL : slot_of(map, node)->made;
}

void conf_node_map_put(conf_node_map_t *map, const yoml_t *node, void *made)
{
    struct conf_node_slot *slot;

    if (2 * map->count >= map->capacity)
        grow(map);
    slot = slot_of(map, node);
    WEIR_MUST(slot->node == NULL);
    *slot = (struct conf_node_slot){node, made};
    map->count++;
}

void conf_node_map_finish(conf_node_map_t *map)
{
    free(map->slots);
    *map = (conf_node_map_t){0};
}
