/* SPDX-License-Identifier: MIT */
#include "conf/networks.h"

#include "conf/complain.h"

int conf_networks_read(const yoml_t *node, const char *name, weir_arena_t *arena, const weir_network_t **out_networks,
                       size_t *out_count)
{
    const bool is_list = node->type == YOML_TYPE_SEQUENCE;
    const size_t count = is_list ? node->data.sequence.size : 1;
    weir_network_t *networks = weir_arena_alloc(arena, (count + 1) * sizeof(networks[0]));

    for (size_t i = 0; i < count; i++) {
        const yoml_t *entry = is_list ? node->data.sequence.elements[i] : node;

        if (entry->type != YOML_TYPE_SCALAR)
            return conf_complain(entry, "%s must be a list of addresses", name);
        if (!weir_network_read(entry->data.scalar, &networks[i]))
            return conf_complain(entry, "%s: %s is neither an address (192.0.2.7, ::1), a network (10.0.0.0/8) nor unix", name,
                                 entry->data.scalar);
    }
    *out_networks = networks;
    *out_count = count;
    return 0;
}
