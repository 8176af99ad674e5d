/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PROBE_H
#define WEIR_PROBE_H 
#include "weir_types.h"
WEIR_C_BEGIN
typedef enum weir_probe_kind {
    WEIR_PROBE_CONNECT = 0,
    WEIR_PROBE_HTTP = 1,
    WEIR_PROBE_GRPC = 2,
    WEIR_PROBE_NAME = 3,
} weir_probe_kind_t;
enum { WEIR_PROBE_ADDRESS_BYTES = 64 };
typedef struct weir_probe_settings {
    size_t size;
    weir_probe_kind_t kind;
    const weir_endpoint_t *endpoint;
    uint16_t port;
    uint32_t timeout_ms;
    const char *path;
    const char *host;
    const char *service;
} weir_probe_settings_t;
typedef struct weir_probe_result {
    size_t size;
    const weir_fault_t *fault;
    uint16_t status;
    int16_t grpc_status;
    bool is_serving;
    uint64_t duration_us;
    uint32_t fresh_ms;
    bool is_believed;
} weir_probe_result_t;
WEIR_C_END
#endif
