/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_COMMANDS_H
#define WEIR_CONF_COMMANDS_H
/**
 * @file  Teaches libh2o the directives of ours.
 */
#include "conf/snapshot.h"

/** Registers every directive on conf->globalconf, libh2o's own included; ours last, so that they see what the others did. */
void conf_commands_register(conf_t *conf);

#endif
