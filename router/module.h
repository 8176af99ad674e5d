/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_MODULE_H
#define WEIR_ROUTER_MODULE_H
/**
 * @file  Finds a router: one of the built-in ones by name, or a shared object by path.
 *
 * THREAD   One that serves no request; before the module's first request and after its last.
 */
#include "router/state.h"
#include "weir_explain.h"
#include "weir_host.h"

typedef struct weir_module weir_module_t;

/**
 * Opens the router `name`: a built-in name (table, stub) or, if it contains a '/' or ends in ".so", the path of a shared
 * object. NULL on failure, with a sentence in `error`: no such file, no symbol weir_router, a size that is not understood,
 * members beyond the ones this proxy knows that are not NULL, a required callback missing.
 */
weir_module_t *weir_module_open(const char *name, char *error, size_t error_size);

/** Wraps a router of the program itself (weir_serve). Same checks. */
weir_module_t *weir_module_of(const weir_router_t *router, weir_shared_t *shared, char *error, size_t error_size);

/** Hands the module its configuration. False if it refused; it has said why. */
bool weir_module_configure(weir_module_t *module, const weir_config_t *config);

/**
 * Starts what serves with it: once, after weir_module_configure(), when the configuration will be used. name: "HOST PATH";
 * where: "file:line"; both are copied. False if it refused; it has said why.
 */
bool weir_module_start(weir_module_t *module, const char *name, const char *where, uint64_t generation);

/** The router, complete: size is this proxy's, members beyond the module's own are NULL. Lives as long as the module. */
const weir_router_t *weir_module_router(const weir_module_t *module);
/** Whether it is one of those in the house. */
bool weir_module_is_built_in(const weir_module_t *module);
weir_shared_t *weir_module_shared(const weir_module_t *module);
/** "built-in" or the path it was loaded from; lives as long as the module. */
const char *weir_module_origin(const weir_module_t *module);

/** Has the module say what its configuration comes to, if it can. Behind weir_module_configure(), with what that was given. */
void weir_module_show(const weir_module_t *module, const weir_config_t *config, weir_show_t *show);
/** Asks whether it would take the app (is_only_checked). True if it takes none. Behind weir_module_configure(). */
bool weir_module_state(const weir_module_t *module, const weir_state_app_t *app, char why[WEIR_STATE_WHY_BYTES]);

/** Has the module say what would become of a request. False: it cannot. Between start and close, on the steward's thread. */
bool weir_module_explain(const weir_module_t *module, const weir_request_t *request, weir_explain_t *explain);
/** Where it serves; behind weir_module_start(). */
const weir_instance_t *weir_module_instance(const weir_module_t *module);
/** `name` of its configuration, or else the instance's. */
const char *weir_module_name(const weir_module_t *module);

/** Stops what start has started, releases what configure made and closes the object; nulls the pointer; harmless on NULL. */
void weir_module_close(weir_module_t **module);

#endif
