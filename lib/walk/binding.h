/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_BINDING_H
#define WEIR_WALK_BINDING_H
/**
 * @file  Who answers for a request: a router with its data. A request is bound when it begins, and stays so to its end.
 *
 * OWNER    The plan it stands in.
 */
#include "weir_types.h"

struct weir_router;

typedef struct weir_binding {
    const struct weir_router *router; /* of this proxy's size: members it lacks are NULL, see router/module.h */
    weir_shared_t *shared;            /* what its configure has made */
    bool is_built_in;                 /* it keeps no thread waiting: the clock need not be read behind it */
} weir_binding_t;

#endif
