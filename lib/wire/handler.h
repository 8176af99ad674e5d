/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_HANDLER_H
#define WEIR_WIRE_HANDLER_H
/**
 * @file  Weir inside libh2o: the handlers that conf/ registers on paths.
 */
#include <h2o.h>

#include "lib/wire/server.h"

/** Registers the handler that turns each request on `path` into an exchange walking `plan`, which outlives the globalconf. */
void weir_handler_register(h2o_pathconf_t *path, const weir_plan_t *plan);

/**
 * The same on a path of an application's: its contexts are told, requests may come by libh2o's own fronts too, and plan and settings live
 * until when_disposed is called with the globalconf's end.
 */
void weir_handler_register_embedded(h2o_pathconf_t *path, const weir_plan_t *plan, const weir_server_settings_t *settings,
                                    void (*when_disposed)(const weir_server_settings_t *settings));

/**
 * Makes the request body arrive whole before libh2o's own handlers on `path` see it (they know no streaming): the gate, put before
 * those that are there. For every path without weir.router; limit_bytes beyond which the answer is 413.
 */
void weir_gate_put_first(h2o_pathconf_t *path, size_t limit_bytes);

#endif
