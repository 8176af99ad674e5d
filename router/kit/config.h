/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_CONFIG_H
#define WEIR_KIT_CONFIG_H
/**
 * @file  What a configuration says of a backend; also where that comes while the proxy runs.
 */
#include "set.h"

/** Reads one: an address, or a map. False after a complaint. To be freed by kit_wanted_free() either way. */
bool kit_wanted_read(const weir_config_t *node, kit_wanted_t *wanted);
struct weir_kit;
struct kit_app;
/** Reads an app that is no part of the configuration: what its mapping would be, without domains. False after a complaint. */
bool kit_read_own(struct weir_kit *kit, struct kit_app *app, const weir_config_t *node, const weir_config_t *defaults);
/** The same of one that was read before, without what the router reads of it. Any thread. */
bool kit_read_again(const struct weir_kit *kit, struct kit_app *app, const weir_config_t *node, const weir_config_t *defaults);

/** Frees what it holds, its name's hold aside. */
void kit_wanted_free(kit_wanted_t *wanted);

#endif
