/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_TARGET_H
#define WEIR_ROUTER_TARGET_H
/**
 * @file  Where a service lives: text made an address. Private to router/.
 */
#include "lib/walk/exchange.h"

/** Where texts are copied to. */
typedef struct target_memory {
    void *(*alloc)(void *of, size_t size);
    void *of;
} target_memory_t;

/** Reads an address or a name into `target`, whose label and tls may be set already; kind is BROKEN if it is neither. */
void target_read_host(weir_target_t *target, const char *text, uint16_t port, const target_memory_t *memory);
void target_read_path(weir_target_t *target, const char *path, const target_memory_t *memory);

/** Makes it the place of the worker of that number. */
void target_use_worker(weir_target_t *target, uint64_t number);

/** Makes it the endpoint's place; what a question says of this one request stays. */
void target_use_endpoint(weir_target_t *target, const weir_endpoint_t *endpoint);

/** Whether every character may stand in a host (with may_have_port: host:port). Says nothing about labels. */
bool target_is_host_text(weir_span_t text, bool may_have_port);

#endif
