/* SPDX-License-Identifier: MIT */
#ifndef WEIR_H
#define WEIR_H 
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
WEIR_API int weir_serve(const char *listen, const weir_router_t *router, weir_shared_t *shared, const char *directives);
WEIR_API int weir_main(int argc, char **argv);
WEIR_C_END
#endif
