/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_HANDLER_H
#define WEIR_WIRE_HANDLER_H
/**
 * @file  Weir inside libh2o: the handlers that conf/ registers on paths.
 */
#include <h2o.h>

#include "lib/walk/plan.h"

/** Registers the handler that turns each request on `path` into an exchange walking `plan`, which outlives the globalconf. */
void weir_handler_register(h2o_pathconf_t *path, const weir_plan_t *plan);

/**
 * Makes the request body arrive whole before libh2o's own handlers on `path` see it (they know no streaming): the gate, put before
 * the other handlers. For every path without weir.router; limit_bytes beyond which the answer is 413.
 */
void weir_gate_register(h2o_pathconf_t *path, size_t limit_bytes);

#endif
