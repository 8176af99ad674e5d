/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_WORKER_ENDPOINT_H
#define WEIR_WIRE_WORKER_ENDPOINT_H
/**
 * @file  Where workers register: what stands behind `weir.workers`.
 *
 *   GET, Upgrade ─► read, its proof looked at ─letter─► steward: the routers are asked ─letter─► home: 101, and the socket
 *                     └─ 400, 401, 403, 426, 429, 431, 503                                      └─ 401, 403, 404, 409, 429
 *
 * THREAD   Registration: where the configuration is loaded. Handler: the request's loop.
 */
#include "lib/wire/back/back_worker.h"

enum { WEIR_WORKERS_WHY_BYTES = 256 };

/** How workers prove what they say. */
typedef struct weir_workers_settings {
    bool needs_token, needs_certificate; /* neither: only from this machine, or if is_open */
    bool is_open;                        /* neither, from anywhere: the operator has said so */
    bool takes_clear_tokens;             /* tokens over plain TCP from other machines         */
    uint32_t capacity_most;              /* requests at once, of a connection                 */
    uint32_t registrations_per_s;
    uint32_t header_timeout_ms; /* for the head of a registration, at a listener of its own */
    const unsigned *loops;      /* how many threads there are, told to workers */
    const char *peers;          /* other proxies, likewise; NULL: none         */
    back_worker_settings_t connection;
    /** The routers': 101 or a status with a sentence. On the steward's thread. */
    uint16_t (*judge)(const weir_worker_words_t *words, char why[WEIR_WORKERS_WHY_BYTES]);
} weir_workers_settings_t;

/** Has `path` take workers. The settings are read with each registration, and stay as long as the configuration. */
void weir_workers_register(h2o_pathconf_t *path, const weir_workers_settings_t *settings);

#endif
