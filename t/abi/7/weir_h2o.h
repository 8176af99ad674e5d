/* SPDX-License-Identifier: MIT */
#ifndef WEIR_H2O_H
#define WEIR_H2O_H 
#include <stdbool.h>
#include "weir_router.h"
struct st_h2o_pathconf_t;
struct st_h2o_context_t;
struct st_h2o_accept_ctx_t;
struct st_h2o_socket_t;
WEIR_API int weir_register(struct st_h2o_pathconf_t *path, const weir_router_t *router, weir_shared_t *shared,
                           const char *directives);
WEIR_API bool weir_accept(struct st_h2o_accept_ctx_t *ctx, struct st_h2o_socket_t *sock);
WEIR_API void weir_collect_bodies(struct st_h2o_pathconf_t *path, size_t limit_bytes);
WEIR_API size_t weir_drain(struct st_h2o_context_t *context);
#endif
