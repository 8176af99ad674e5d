/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_FASTCGI_H
#define WEIR_CONF_FASTCGI_H
/**
 * @file  h2o's fastcgi.*: what it says becomes a configuration of the router `reverse`, and settings of its path's plan.
 */
#include "conf/snapshot.h"

/** Handles fastcgi.connect at a path. Returns 0, or -1 after a complaint. */
int conf_fastcgi_on_connect(conf_t *conf, const h2o_pathconf_t *pathconf, yoml_t *node);

/** Where a path has a fastcgi.connect, lets fastcgi.timeout.io speak for the timeouts of ours that are not given. */
void conf_fastcgi_settle(conf_t *conf);

/**
 * What would stand under weir.router to mean the same as the values of conf->level. Lives as long as `conf`. NULL after a
 * complaint.
 */
const yoml_t *conf_fastcgi_router(conf_t *conf);

/** Makes the plan of a path with fastcgi.connect what the values of conf->level say. */
void conf_fastcgi_fill(const conf_t *conf, weir_plan_t *plan);

#endif
