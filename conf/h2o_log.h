/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_H2O_LOG_H
#define WEIR_CONF_H2O_LOG_H
/**
 * @file  h2o's `access-log`: libh2o makes the lines, our writers write them. libh2o's own would write from the loop, and wait.
 */
#include "conf/snapshot.h"

/** Reads an `access-log` at conf->level; opens it unless this is a dry run. Returns 0, or -1 after a complaint. */
int conf_h2o_log_read(conf_t *conf, yoml_t *node);

/** Has the logs of conf->level, outer ones included, told of the requests of `pathconf`. */
void conf_h2o_log_register(const conf_t *conf, h2o_pathconf_t *pathconf);

/** Frees the formats. No logger may be left. */
void conf_h2o_logs_free(conf_t *conf);

#endif
