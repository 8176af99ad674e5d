/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_GRPC_H
#define WEIR_HANDLERS_GRPC_H
/**
 * @file  Error pages for gRPC clients (gRPC's PROTOCOL-HTTP2.md, "Responses"): they read no page and know HTTP's statuses by
 * hearsay only.
 */
#include "lib/walk/exchange.h"

/**
 * Whether the request is a gRPC call: its Content-Type is application/grpc, alone or with a suffix (+proto). gRPC-Web is not.
 */
bool weir_grpc_is_call(const weir_request_t *request);

/**
 * The headers of a response that is nothing but trailers: of `page` all but those that describe a body, then Content-Type,
 * grpc-status and grpc-message, in x->arena. A grpc-status that `page` has (a router's) is left as it is. `status` is the
 * page's.
 */
weir_headers_t weir_grpc_headers(weir_exchange_t *x, const weir_headers_t *page, uint16_t status, const weir_fault_t *fault);

/** The grpc-status among the fields of a response's head: gRPC's trailers-only, when nothing follows it. -1: there is none. */
int16_t weir_grpc_status_of(const weir_headers_t *headers);

#endif
