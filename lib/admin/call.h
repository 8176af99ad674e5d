/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_CALL_H
#define WEIR_ADMIN_CALL_H
/**
 * @file  One request to the admin endpoint, on its way to a route and back. Private to lib/admin.
 *
 * OWNER    The h2o request, in whose pool it lies.
 */
#include <h2o.h>

#include "lib/admin/admin.h"

enum { ADMIN_SEGMENTS = 16 };

struct weir_admin_call {
    h2o_req_t *req;
    const weir_admin_caller_t *caller;
    weir_span_t segments[ADMIN_SEGMENTS]; /* decoded */
    size_t segment_count, first;          /* the first that the route sees */
    weir_span_t query;                    /* as it came, behind the "?"    */
    bool is_answered;
};

/** Makes a call of a request; NULL: it was answered, its path is none. */
weir_admin_call_t *admin_call_of(h2o_req_t *req, const weir_admin_caller_t *caller);

/** Finds its route and has that answer. */
void admin_call_route(weir_admin_call_t *call, const weir_admin_route_t *routes);

#endif
