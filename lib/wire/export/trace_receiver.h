/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_EXPORT_TRACE_RECEIVER_H
#define WEIR_WIRE_EXPORT_TRACE_RECEIVER_H
/**
 * @file  Who receives the spans of traces: an address, and who it must be if TLS is spoken with it.
 *
 * OWNER    Shared, by count: the configuration that made it, and whoever sends.
 * THREAD   Any; it does not change.
 */
#include <stdatomic.h>

#include <openssl/ssl.h>

#include "weir_types.h"

typedef struct weir_trace_receiver_settings {
    const char *url;       /* as it is called in words */
    weir_span_t host;      /* without brackets         */
    weir_span_t authority; /* as Host has it           */
    weir_span_t path;
    uint16_t port;
    bool is_https;
    const char *ca_file; /* PEM; NULL: the system's authorities */
    const char *service; /* service.name */
    size_t queue_most;   /* spans that may wait */
} weir_trace_receiver_settings_t;

typedef struct weir_trace_receiver {
    atomic_uint holders;
    char *url, *host, *authority, *path, *service;
    char port[8];
    size_t queue_most;
    SSL_CTX *context; /* NULL: plain */
} weir_trace_receiver_t;

/** Copies everything. NULL after a sentence in `problem`. */
weir_trace_receiver_t *weir_trace_receiver_create(const weir_trace_receiver_settings_t *settings, char *problem, size_t bytes);

weir_trace_receiver_t *weir_trace_receiver_hold(weir_trace_receiver_t *receiver);

/** Lets go of it and nulls the pointer; harmless on NULL. */
void weir_trace_receiver_release(weir_trace_receiver_t **receiver);

#endif
