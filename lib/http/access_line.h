/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_ACCESS_LINE_H
#define WEIR_HTTP_ACCESS_LINE_H
/**
 * @file  The line about one request in the access log: which fields it has, and in what order. Pure.
 */
#include "lib/base/fault.h"
#include "lib/http/heroku_code.h"
#include "lib/http/logfmt.h"

/** What it tells. Empty spans, negative durations and a status of 0 leave their field empty. */
typedef struct weir_access_line {
    const char *level;                /* at=                                  */
    const weir_fault_t *fault;        /* code= and desc=; NULL: neither       */
    const weir_heroku_code_t *heroku; /* in their place, and then the fault's name is reason=; NULL: it stands in code= */
    weir_span_t method, path, host, request_id;
    weir_span_t fwd;  /* the client's way to us, as X-Forwarded-For tells it */
    weir_span_t dyno; /* the service                               */
    int64_t connect_ms, service_ms;
    uint16_t status;
    uint64_t bytes; /* of the response's body                    */
    weir_span_t protocol;
    bool is_http2;
    uint32_t tries;            /* connects, those that a kept connection has spared included */
    int64_t route_ms;          /* from the head to the connection: all that was tried before, and the router's time */
    int64_t total_ms;          /* from the head to the end of the response */
    weir_span_t trace;         /* id; empty: the field is not there */
    const weir_fault_t *cause; /* why the latest attempt that failed did, though a later one went well, or the router refused */
} weir_access_line_t;

enum { WEIR_ACCESS_LINE_BYTES = 24576 }; /* room for every field, whatever clients send, and 4 KiB of a router's */

/**
 * Writes its fields into `line`, which has begun. More may follow. The fields that a client chooses are cut when they are long,
 * with `...` in place of the rest, so that they cost the line none of the others: path and fwd beyond 8 KiB, fwd at its
 * beginning; request_id beyond 1 KiB, host beyond 512 bytes, method beyond 128.
 */
void weir_access_line_write(weir_logfmt_t *line, const weir_access_line_t *what);

#endif
