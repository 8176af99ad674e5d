/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CUSTOM_H
#define WEIR_CONF_CUSTOM_H
/**
 * @file  h2o's file.custom-handler: files that a FastCGI application runs.
 */
#include "conf/snapshot.h"

/** Handles file.custom-handler, at any level. Returns 0, or -1 after a complaint. */
int conf_custom_read(conf_t *conf, yoml_t *node);

/**
 * Fills conf->level->scripts, if the path that is being left has them: each file.custom-handler in force becomes a plan with a
 * router of its own. False after a complaint.
 */
bool conf_custom_open(conf_t *conf, conf_path_t *path);

#endif
