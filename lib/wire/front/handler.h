/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_HANDLER_H
#define WEIR_WIRE_HANDLER_H
/**
 * @file  Weir inside libh2o: the handlers that conf/ registers on paths.
 */
#include "lib/wire/loop/generation.h"

typedef struct weir_handler {
    h2o_handler_t super;
    const weir_plan_t *plan;
} weir_handler_t;

/** Registers the handler that turns each request on `path` into an exchange walking `plan`, which outlives the globalconf. */
void weir_handler_register(h2o_pathconf_t *path, const weir_plan_t *plan);

/** Gives the request to the handlers of its path, and notes that these are at work: ours, and libh2o's. */
void weir_handler_process(weir_loop_t *loop, h2o_req_t *req);

/**
 * For handlers of others that begin with a weir_handler_t: makes the exchange and begins its walk, in this configuration.
 * Returns 0.
 */
int weir_handler_begin(const weir_handler_t *self, h2o_req_t *req, weir_context_t *context);

/**
 * Makes an exchange that walks `plan` (a weir_plan_t of FastCGI) for a script that was found on the disk: `file`, which the
 * path means up to the end of `name`, and `path_info` behind it; all of them decoded, and copied. Returns 0.
 */
int weir_handler_run_script(const void *plan, h2o_req_t *req, weir_span_t file, weir_span_t name, weir_span_t path_info);

/**
 * Makes the request body arrive whole before libh2o's own handlers on `path` see it (they know no streaming): the gate, put
 * before those that are there. For every path without weir.router; limit_bytes beyond which the answer is 413.
 */
void weir_gate_put_first(h2o_pathconf_t *path, size_t limit_bytes);

#endif
