/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_WORKER_HTTP1_H
#define WEIR_WIRE_BACK_WORKER_HTTP1_H
/**
 * @file  Workers that speak HTTP/1.1 (`ALPN: http%2F1.1`): each connection is an idle one of the pool, for one request at a
 * time. It is a dialled one in all but this: it is never closed for being idle, and none can be dialled in its place.
 *
 *   registers ─► pool of its loop ─► exchange ─► pool …            ended, or not to be used again ─► the worker dials anew
 *                  └─ wanted on another loop ─letter─► its pool
 *
 * OWNER    As of back_http1_t.
 * THREAD   The loop's where the connection is: between two requests it may go to another.
 */
#include "lib/wire/back/back_http1.h"
#include "lib/wire/back/back_worker.h"

typedef struct back_worker_http1 {
    weir_link_t link;
    back_http1_t *back;
    bool is_in_use;
    uint32_t drain_timeout_ms;
    weir_timer_t drain; /* it was sent away while in use */
    bool must_end;      /* it was sent away: it ends behind its request */
} back_worker_http1_t;

/** As back_worker_open(), of one that speaks HTTP/1.1. */
void back_worker_http1_open(weir_loop_t *loop, weir_sock_t *sock, weir_worker_words_t *words, weir_bytes_t *head,
                            const back_worker_settings_t *settings);

/** An exchange has it, or it is idle again. False: it is not to be idle again, but to end. */
bool back_worker_http1_use(back_http1_t *back, bool is_in_use);
/** The connection is about to be freed. */
void back_worker_http1_end(back_http1_t *back);

/**
 * Has a connection of the worker at `target` come to this loop's pool, if one is idle elsewhere; soon, and nobody is told: look
 * again. False: there is none at all.
 */
bool back_worker_http1_fetch(weir_loop_t *loop, const weir_target_t *target);

#endif
