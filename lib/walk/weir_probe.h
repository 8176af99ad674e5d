/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PROBE_H
#define WEIR_PROBE_H
/**
 * @file  Probes: a connection to a backend, or a question on one, that no client has asked for. Active checks are made of them.
 *
 * Each has a connection of its own, with the endpoint's TLS and protocol, and is closed behind its answer. It takes no slot
 * of anybody's, and no access log knows of it. Of a worker (weir_worker.h) it is a stream on one of its connections of HTTP/2.
 * Who has no stream free, takes nothing at present or speaks HTTP/1.1 is not asked (is_believed): its PINGs, or its end, tell.
 */
#include "weir_types.h"

WEIR_C_BEGIN

typedef enum weir_probe_kind {
    WEIR_PROBE_CONNECT = 0, /* a connection, and with TLS a handshake: nothing is sent                                  */
    WEIR_PROBE_HTTP = 1,    /* GET `path`, in the endpoint's protocol; over FastCGI with SCRIPT_NAME `path`             */
    WEIR_PROBE_GRPC = 2,    /* grpc.health.v1.Health/Check of `service`, by HTTP/2 (with TLS: ALPN h2; else prior knowledge) */
    WEIR_PROBE_NAME = 3,    /* the addresses of the endpoint's name: weir_probe_address(). No connection                */
} weir_probe_kind_t;

enum { WEIR_PROBE_ADDRESS_BYTES = 64 }; /* of an address as text, with its end */

/** Members are only ever appended. All is copied but the endpoint, which must stay until the result, or the instance's stop. */
typedef struct weir_probe_settings {
    size_t size; /* sizeof(weir_probe_settings_t) */
    weir_probe_kind_t kind;
    const weir_endpoint_t *endpoint;
    uint16_t port;       /* in place of the endpoint's; 0: that. Not for unix sockets                            */
    uint32_t timeout_ms; /* for all of it, the name's resolution included; 1 … 86400000                          */
    const char *path;    /* of HTTP: begins with /                                                               */
    const char *host;    /* Host, or :authority; NULL: the name or address that is connected to, and its port     */
    const char *service; /* of gRPC; "" or NULL: the server as a whole                                           */
} weir_probe_settings_t;

typedef struct weir_probe_result {
    size_t size;
    const weir_fault_t *fault; /* NULL: there is a connection, or an answer to what was asked; static */
    uint16_t status;           /* of HTTP and gRPC; 0: there was no answer, or none was asked for     */
    int16_t grpc_status;       /* -1: none                                                            */
    bool is_serving;           /* gRPC: what the server says of the service                           */
    uint64_t duration_us;
    uint32_t fresh_ms; /* of a name: for how long the answer is good, at least 1; then ask again */
    bool is_believed;  /* a worker that could not be asked now: see above. There is no answer, and no fault. Since ABI 7 */
} weir_probe_result_t;

WEIR_C_END

#endif
