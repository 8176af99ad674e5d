/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_WORKER_H
#define WEIR_WIRE_BACK_WORKER_H
/**
 * @file  A worker's connection: HTTP/2 with who has dialled us. It is back_http2.h's, but for what follows from who dialled:
 *
 * - It is never opened by us, and never closed for being idle: a PING every ping_ms tells both sides that the other is there.
 * - How many requests it takes is told to routers, whenever that changes: SETTINGS, GOAWAY.
 * - It is one for all who use it, so that its window is small (a slow client must not stop the others' short answers), and
 *   its RST_STREAMs are budgeted (a burst of them looks like an attack to its library, which ends all of it).
 *
 * OWNER    The connection.
 * THREAD   Its loop's.
 */
#include "lib/walk/workers.h"
#include "lib/wire/sock/sock.h"

struct weir_http2;

/** What an endpoint for workers says of their connections. */
typedef struct back_worker_settings {
    uint32_t ping_ms;          /* between two PINGs; behind one without any sign of life it is dead */
    uint32_t drain_timeout_ms; /* from a GOAWAY, of either side, to the end                        */
    uint32_t stream_window, connection_window;
    uint32_t reset_burst, resets_per_s;
} back_worker_settings_t;

typedef struct back_worker {
    weir_link_t link;
    struct weir_http2 *http2;
    back_worker_settings_t settings;
    uint32_t granted;   /* requests at once, as the 101 said */
    double resets_left; /* of the budget, as it was          */
    uint64_t resets_at_us;
    weir_timer_t drain;  /* from a GOAWAY to the end        */
    weir_timer_t resets; /* what had to wait is reset then  */
    weir_timer_t calm;   /* its worker has asked for calm: full until then */
    bool is_calm;
    bool was_dismissed;
    bool has_crashed; /* its GOAWAY had an error code */
} back_worker_t;

/**
 * Takes over the worker's socket on its loop, and its words: writes `head` (the 101, taken over), then HTTP/2. `granted`
 * requests at once at most.
 */
void back_worker_open(weir_loop_t *loop, weir_sock_t *sock, weir_worker_words_t *words, weir_bytes_t *head, uint32_t granted,
                      const back_worker_settings_t *settings);

/** Adds to a 101 what is known only of a link, and its end. */
void back_worker_end_head(weir_bytes_t *head, const weir_link_t *link);

/** How many streams it may have, of our side: less than granted while it is to be spared. */
uint32_t back_worker_capacity(const back_worker_t *worker);

/* ---- told by back_http2*.c ---- */

/** It has so many streams now: for those who look from other loops. */
static inline void back_worker_count(back_worker_t *worker, size_t streams)
{
    atomic_store_explicit(&worker->link.in_use, (uint32_t)streams, memory_order_relaxed);
}

/** SETTINGS have come, or GOAWAY. */
void back_worker_on_change(back_worker_t *worker);
/** A GOAWAY of the worker's. */
void back_worker_on_goaway(back_worker_t *worker, uint32_t error_code);
/** It has reset a stream because too much is asked of it. */
void back_worker_on_calm(back_worker_t *worker);
/** Whether one more RST_STREAM may be sent now. False: it is sent later. */
bool back_worker_may_reset(back_worker_t *worker);
/** The connection has ended. Frees it. */
void back_worker_end(back_worker_t *worker, const weir_fault_t *fault);

/* ---- for tests ---- */

/** Whether each request is to go by way of another loop, where there is one. */
void back_worker_send_elsewhere(bool is_always);
bool back_worker_is_elsewhere(void);

#endif
