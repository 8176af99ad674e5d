/* SPDX-License-Identifier: MIT */
#ifndef WEIR_H
#define WEIR_H
/**
 * @file  Weir, for those who write routers, stages and programs around them.
 */
#include "weir_config.h"
#include "weir_endpoint.h"
#include "weir_explain.h"
#include "weir_fastcgi.h"
#include "weir_host.h"
#include "weir_kit.h"
#include "weir_request.h"
#include "weir_router.h"
#include "weir_span.h"
#include "weir_stage.h"

WEIR_C_BEGIN

#define WEIR_VERSION "0.1.0"

/**
 * Serves one router on `listen` ("127.0.0.1:8080", "8080", "[::]:80", "unix:/path") until SIGTERM, then drains. `directives` is
 * YAML, what could stand at the global level of weir.conf(5) ("num-threads: 2"), but for `hosts`; or NULL: all by default.
 * Returns an exit status: 0 clean, 1 start-up failed (said on standard error), 3 the drain deadline passed. router and shared
 * must outlive the call. Once per process; takes over signals; not from a thread other than the main one.
 */
WEIR_API int weir_serve(const char *listen, const weir_router_t *router, weir_shared_t *shared, const char *directives);

/** The command `weir`: run, check, version, help. Returns the exit status. */
WEIR_API int weir_main(int argc, char **argv);

WEIR_C_END

#endif
