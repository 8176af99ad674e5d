/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CONFIG_NODE_H
#define WEIR_CONF_CONFIG_NODE_H
/**
 * @file  A module's configuration: weir_config_t is a YAML node under another name.
 */
#include "weir_router.h"
#include "yoml.h"

/** The node as a module sees it; NULL stays NULL. */
const weir_config_t *conf_config_of(const yoml_t *node);

/** What weir_config_wrong(NULL, …) points at from now on; NULL: nothing. Main thread. */
void conf_config_set_place(const yoml_t *place);

#endif
