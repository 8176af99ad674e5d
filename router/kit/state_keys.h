/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_STATE_KEYS_H
#define WEIR_KIT_STATE_KEYS_H
/**
 * @file  What a configuration says of the state file, and a piece of configuration as a document.
 */
#include "instance.h"

/** `state-file` and `state-sync`. False after a complaint. */
bool kit_state_keys_read(const weir_config_t *config, struct weir_kit *kit);
/** All scalars are texts. */
json_t *kit_config_json(const weir_config_t *node);

#endif
