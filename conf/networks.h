/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_NETWORKS_H
#define WEIR_CONF_NETWORKS_H
/**
 * @file  Lists of addresses and networks in a configuration: who may say something.
 */
#include "yoml.h"
#include "lib/base/arena.h"
#include "lib/http/network.h"

/**
 * Reads one or a list of them, which may be empty, into memory of `arena`; `name` is the directive's. Returns 0, or -1 after a
 * complaint.
 */
int conf_networks_read(const yoml_t *node, const char *name, weir_arena_t *arena, const weir_network_t **out_networks,
                       size_t *out_count);

#endif
