/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_STAGE_MODULE_H
#define WEIR_ROUTER_STAGE_MODULE_H
/**
 * @file  A stage of a shared object, as module.h is a router of one.
 *
 * THREAD   One that serves no request; before the stage's first request and after its last.
 */
#include "weir_stage.h"

typedef struct weir_stage_module weir_stage_module_t;

/**
 * Opens the stage of the shared object `path`. NULL on failure, with a sentence in `error`: no such file, no symbol weir_stage,
 * made for another ABI, a size that is not understood, members beyond the ones this proxy knows that are not NULL.
 */
weir_stage_module_t *weir_stage_module_open(const char *path, char *error, size_t error_size);

/** Hands it its configuration. False if it refused; it has said why. */
bool weir_stage_module_configure(weir_stage_module_t *module, const weir_config_t *config);

/** The stage, complete: size is this proxy's, members beyond the module's own are NULL. Lives as long as the module. */
const weir_stage_t *weir_stage_module_stage(const weir_stage_module_t *module);
weir_stage_shared_t *weir_stage_module_shared(const weir_stage_module_t *module);

/** Releases what configure made and closes the object; nulls the pointer; harmless on NULL. */
void weir_stage_module_close(weir_stage_module_t **module);

#endif
