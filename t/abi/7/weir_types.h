/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TYPES_H
#define WEIR_TYPES_H 
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define WEIR_API __attribute__((visibility("default")))
#define WEIR_MODULE __attribute__((visibility("default")))
#ifdef __cplusplus
#define WEIR_C_BEGIN extern "C" {
#define WEIR_C_END }
#else
#define WEIR_C_BEGIN 
#define WEIR_C_END 
#endif
WEIR_C_BEGIN
typedef struct weir_span {
    const char *base;
    size_t len;
} weir_span_t;
#ifdef __cplusplus
#define WEIR_SPAN(literal) (weir_span_t{(literal), sizeof(literal) - 1})
#else
#define WEIR_SPAN(literal) ((weir_span_t){(literal), sizeof(literal) - 1})
#endif
typedef enum weir_blame {
    WEIR_BLAME_NOBODY,
    WEIR_BLAME_CLIENT,
    WEIR_BLAME_BACKEND,
    WEIR_BLAME_ROUTER,
} weir_blame_t;
typedef struct weir_fault {
    const char *name;
    uint16_t status;
    weir_blame_t blame;
    const char *sentence;
} weir_fault_t;
WEIR_API const weir_fault_t *weir_fault_named(const char *name);
typedef enum weir_keepalive {
    WEIR_CLOSE = 0,
    WEIR_REUSE = 1,
    WEIR_FRESH = 2,
} weir_keepalive_t;
typedef enum weir_protocol {
    WEIR_HTTP1 = 0,
    WEIR_HTTP2 = 1,
    WEIR_FASTCGI = 2,
} weir_protocol_t;
typedef struct weir_backend_tls weir_backend_tls_t;
typedef struct weir_fastcgi weir_fastcgi_t;
typedef struct weir_endpoint weir_endpoint_t;
typedef struct weir_shared weir_shared_t;
typedef struct weir_state weir_state_t;
typedef struct weir_group weir_group_t;
typedef struct weir_service weir_service_t;
typedef struct weir_stage_shared weir_stage_shared_t;
typedef struct weir_request weir_request_t;
typedef struct weir_exchange weir_exchange_t;
typedef struct weir_header_sink weir_header_sink_t;
typedef struct weir_log_sink weir_log_sink_t;
typedef struct weir_description weir_description_t;
typedef struct weir_instance weir_instance_t;
WEIR_C_END
#endif
