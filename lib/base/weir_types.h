/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TYPES_H
#define WEIR_TYPES_H
/**
 * @file  The few words that the proxy, its routers and its stages share. Public; every layout here is frozen.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_API __attribute__((visibility("default")))    /* the library's      */
#define WEIR_MODULE __attribute__((visibility("default"))) /* a loadable module's */

/* Around what a header declares: the names are C's in C++, too. */
#ifdef __cplusplus
#define WEIR_C_BEGIN extern "C" {
#define WEIR_C_END }
#else
#define WEIR_C_BEGIN
#define WEIR_C_END
#endif

WEIR_C_BEGIN

/** Borrowed bytes; not NUL-terminated. base may be NULL if len is 0. */
typedef struct weir_span {
    const char *base;
    size_t len;
} weir_span_t;

/** A span over a string literal: WEIR_SPAN("Via"). */
#ifdef __cplusplus
#define WEIR_SPAN(literal) (weir_span_t{(literal), sizeof(literal) - 1})
#else
#define WEIR_SPAN(literal) ((weir_span_t){(literal), sizeof(literal) - 1})
#endif

/** Who could have prevented a fault. */
typedef enum weir_blame {
    WEIR_BLAME_NOBODY,
    WEIR_BLAME_CLIENT,
    WEIR_BLAME_BACKEND,
    WEIR_BLAME_ROUTER,
} weir_blame_t;

/** A named reason. Define yours as static const; compare by address. */
typedef struct weir_fault {
    const char *name;     /* snake_case; goes to logs, pages and metrics             */
    uint16_t status;      /* sent to the client unless error_page objects: 400 … 599 */
    weir_blame_t blame;   /* who could have prevented it                             */
    const char *sentence; /* one sentence for people, or NULL                        */
} weir_fault_t;

/**
 * The proxy's own fault of this name ("backend_timeout"; docs/faults.md has them all), to compare by address; NULL: there is
 * none.
 */
WEIR_API const weir_fault_t *weir_fault_named(const char *name);

/** What happens to a backend's connection. */
typedef enum weir_keepalive {
    WEIR_CLOSE = 0, /* a connection of its own, closed afterwards           */
    WEIR_REUSE = 1, /* from the pool if there is one, and back to it         */
    WEIR_FRESH = 2, /* a new connection, which goes to the pool afterwards   */
} weir_keepalive_t;

/** What is spoken with a backend. */
typedef enum weir_protocol {
    WEIR_HTTP1 = 0,   /* HTTP/1.1                                              */
    WEIR_HTTP2 = 1,   /* HTTP/2, known beforehand (RFC 9113 §3.3); with TLS, by ALPN */
    WEIR_FASTCGI = 2, /* FastCGI 1.0, without TLS. Since ABI 6 */
} weir_protocol_t;

/** How TLS is spoken with backends, and who they must be; see weir_backend_tls.h. */
typedef struct weir_backend_tls weir_backend_tls_t;
/** What paths mean to a FastCGI application; see weir_fastcgi.h. */
typedef struct weir_fastcgi weir_fastcgi_t;
/** A place where a service lives, read once; see weir_endpoint.h. */
typedef struct weir_endpoint weir_endpoint_t;

/* The router's own data. The proxy only carries pointers to them; a router completes the structs it uses. */
typedef struct weir_shared weir_shared_t;   /* one per configured router: tables, pools    */
typedef struct weir_state weir_state_t;     /* one per request: from init until terminate  */
typedef struct weir_group weir_group_t;     /* what a domain name stands for               */
typedef struct weir_service weir_service_t; /* one place able to serve a group             */

/** A stage's own data, one per place where it is configured; completed by the stage. */
typedef struct weir_stage_shared weir_stage_shared_t;

/* The proxy's own. Opaque outside it. */
typedef struct weir_request weir_request_t;
typedef struct weir_exchange weir_exchange_t;
typedef struct weir_header_sink weir_header_sink_t;
typedef struct weir_log_sink weir_log_sink_t;
typedef struct weir_description weir_description_t;
typedef struct weir_instance weir_instance_t;

WEIR_C_END

#endif
