/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ENDPOINT_H
#define WEIR_ENDPOINT_H
/**
 * @file  A place where a service lives, read once: what weir_backend_at(), _name(), _protocol() and _use_tls() say on each
 * request.
 *
 * OWNER    Who creates it. It must stay until the terminate of the last request that was sent there.
 * THREAD   Any; it does not change.
 */
#include "weir_backend_tls.h"
#include "weir_fastcgi.h"
#include "weir_types.h"

WEIR_C_BEGIN

/** Members are only ever appended. */
typedef struct weir_endpoint_settings {
    size_t size;      /* sizeof(weir_endpoint_settings_t)                                  */
    const char *host; /* an IPv4 or IPv6 address, brackets allowed, or a name; NULL: `path` */
    uint16_t port;    /* of host, not 0                                                     */
    const char *path; /* of a unix socket, at most 107 bytes; NULL: `host`, or `worker`     */
    const char *name; /* what logs call it; NULL or empty: its address                      */
    weir_protocol_t protocol;
    weir_backend_tls_t *tls;       /* NULL: none. Must outlive the endpoint                              */
    const weir_fastcgi_t *fastcgi; /* with WEIR_FASTCGI; NULL: no scripts. Must outlive the endpoint. Since ABI 6 */
    uint64_t worker;               /* the number of a worker that has dialled in (weir_worker.h); 0: none. Since ABI 7    */
    const char *server_name;       /* with `tls`: who it must be, and is asked for; NULL: `host`. Since ABI 7     */
} weir_endpoint_settings_t;

/** Makes one; the texts are copied. NULL: what is wrong stands in `problem` (`problem_bytes` of room). */
WEIR_API weir_endpoint_t *weir_endpoint_create(const weir_endpoint_settings_t *settings, char *problem, size_t problem_bytes);

/** Frees it and nulls the pointer; harmless on NULL. */
WEIR_API void weir_endpoint_destroy(weir_endpoint_t **endpoint);

/** What logs call it: its name, or its address. Lives as long as the endpoint. */
WEIR_API weir_span_t weir_endpoint_name(const weir_endpoint_t *endpoint);

WEIR_C_END

#endif
