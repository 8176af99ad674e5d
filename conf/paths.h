/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PATHS_H
#define WEIR_CONF_PATHS_H
/**
 * @file  What becomes of a path when its level is left: a router with a plan, or a gate before libh2o's handlers.
 */
#include "conf/snapshot.h"

/** Finishes `pathconf` with the values of conf->level. Returns 0, or -1 after a complaint. */
int conf_path_leave(conf_t *conf, h2o_hostconf_t *hostconf, h2o_pathconf_t *pathconf);

/**
 * The module that `node` (weir.router) asks for at `path`, configured. The same node gives the same module, which is named
 * after the first path that asks. NULL after a complaint.
 */
weir_module_t *conf_module_open(conf_t *conf, const yoml_t *node, conf_path_t *path);

/** Starts what the modules of a configuration serve with, when it will be used. False if one refused; it has said why. */
bool conf_modules_start(conf_t *conf);

/**
 * Makes the stages of `plan` the built-in ones and those that `node` (weir.stages, or NULL) names; *out_extra is how many these
 * are. The same node gives the same stage. False after a complaint.
 */
bool conf_stages_open(conf_t *conf, const yoml_t *node, weir_plan_t *plan, size_t *out_extra);

/** The plan that the values of conf->level come to, without router and stages. NULL after a complaint. */
weir_plan_t *conf_plan_create(conf_t *conf);

/** Limits on a request's head, and on its body (UINT64_MAX: none). */
weir_head_limits_t conf_head_limits(const conf_level_t *level);
/** Makes each of `limits` at least as wide as in `other`. */
void conf_head_limits_widen(weir_head_limits_t *limits, const weir_head_limits_t *other);
uint64_t conf_max_body_bytes(const conf_t *conf);

/** The log of a value of weir.access-log; NULL if it is OFF (also when nothing may be opened). False after a complaint. */
bool conf_access_log_open(conf_t *conf, const conf_level_t *level, weir_access_log_t **out_log);

#endif
