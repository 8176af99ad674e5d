/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ENDPOINT_H
#define WEIR_ENDPOINT_H 
#include "weir_backend_tls.h"
#include "weir_fastcgi.h"
#include "weir_types.h"
WEIR_C_BEGIN
typedef struct weir_endpoint_settings {
    size_t size;
    const char *host;
    uint16_t port;
    const char *path;
    const char *name;
    weir_protocol_t protocol;
    weir_backend_tls_t *tls;
    const weir_fastcgi_t *fastcgi;
    uint64_t worker;
    const char *server_name;
} weir_endpoint_settings_t;
WEIR_API weir_endpoint_t *weir_endpoint_create(const weir_endpoint_settings_t *settings, char *problem, size_t problem_bytes);
WEIR_API void weir_endpoint_destroy(weir_endpoint_t **endpoint);
WEIR_API weir_span_t weir_endpoint_name(const weir_endpoint_t *endpoint);
WEIR_C_END
#endif
