/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PROXY_H
#define WEIR_CONF_PROXY_H
/**
 * @file  h2o's proxy.*: what it says becomes a configuration of the router `reverse`, and settings of its path's plan.
 */
#include "conf/snapshot.h"
#include "conf/yaml_merge.h"

/** Handles proxy.reverse.url at a path. Returns 0, or -1 after a complaint. */
int conf_proxy_on_url(conf_t *conf, const h2o_pathconf_t *pathconf, yoml_t *node);

/** Handles proxy.header.*; `directive` is one of CONF_proxy_header_…. Returns 0, or -1 after a complaint. */
int conf_proxy_on_header(conf_t *conf, conf_directive_t directive, yoml_t *node);

/** Where a path has a proxy.reverse.url, lets proxy.timeout.io speak for the timeouts of ours that are not given. */
void conf_proxy_settle(conf_t *conf);

/** Lets `io` speak for the timeouts of ours that are not given, if it is given itself. */
void conf_proxy_settle_timeouts(conf_t *conf, conf_directive_t io);

/** A mapping of `entries` at the place of `node`, which lives as long as `conf`. */
const yoml_t *conf_proxy_keep(conf_t *conf, const yoml_t *node, conf_entries_t *entries);

/** What would stand under weir.router to mean the same as the values of conf->level. Lives as long as `conf`. */
const yoml_t *conf_proxy_router(conf_t *conf);

/** Makes the plan of a path with proxy.reverse.url what the values of conf->level say. */
void conf_proxy_fill(const conf_t *conf, weir_plan_t *plan);

#endif
