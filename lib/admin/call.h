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
    const char *own_host;                 /* what Host may be besides; NULL: nothing */
    bool is_answered;
    struct admin_open *open; /* its connection's: what is not over when the route returns */
    bool is_inner;           /* the answer stays here: */
    uint16_t status;         /* 0: none yet            */
    weir_span_t document;    /* in the request's pool  */
};

/** What a connection has under way behind a route's return. It lies in the connection. */
typedef struct admin_open {
    weir_admin_held_t *held;     /* NULL: none */
    weir_admin_stream_t *stream; /* likewise   */
} admin_open_t;
/** The connection is to end: what is under way is answered at once, and tells its owner. */
void admin_open_cut(admin_open_t *open);
/** The connection has ended, and its requests with it. */
void admin_open_forget(admin_open_t *open);

/** Sends an answer: what call.c and held.c end in. */
void admin_request_respond(h2o_req_t *req, uint16_t status, const char *type, const char *body, size_t bytes);
/** A problem as a document; to be freed. */
char *admin_problem_text(uint16_t status, const char *type, const char *pointer, const char *detail);

/** Makes a call of a request; NULL: it was answered, its path is none. */
weir_admin_call_t *admin_call_of(h2o_req_t *req, const weir_admin_caller_t *caller, admin_open_t *open);

/** True: it was refused, as a page of somebody else's may have sent it (origin.h), or as its body would be too much to read. */
bool admin_call_refuse(weir_admin_call_t *call);

/** Finds its route and has that answer. */
void admin_call_route(weir_admin_call_t *call, const weir_admin_route_t *routes);

/** Answers with a body of any type. Once. */
void admin_call_respond(weir_admin_call_t *call, uint16_t status, const char *type, const char *body, size_t bytes);

/** inner.c: takes the answer of an inner call. */
void admin_inner_keep(weir_admin_call_t *call, uint16_t status, const char *body, size_t bytes);

#endif
