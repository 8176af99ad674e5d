/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LISTENER_H
#define WEIR_WIRE_LISTENER_H
/**
 * @file  Where clients come in: one loop's end of one address. It is opened and accepted from by door/listen.c.
 */
#include "lib/wire/client/tally.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/sock/sock.h"

/** What a client that has asked for nothing yet has for it when the proxy drains: its first request may be under way. */
enum { WEIR_DRAIN_GRACE_MS = 1000 };

/** One loop's end of one address. It outlives configurations, and its own socket as long as connections came in by it. */
typedef struct weir_listener {
    weir_sock_t sock;
    weir_loop_t *loop;
    weir_list_t link;                /* in its worker's list                                           */
    const weir_listen_t *listen;     /* of the newest configuration that has this address              */
    struct sockaddr_storage address; /* where it was opened: the listen's, or one of those that it stands for */
    struct weir_context *ending;     /* that configuration, held, if a newer one has taken it away     */
    weir_tally_key_t key;            /* of that address, for all loops' ends of it                     */
    uint16_t port;                   /* 0 for unix sockets                                             */
    unsigned accepts;                /* most connections to be taken in the next turn of the loop      */
    unsigned full_turns;             /* turns in a row that have taken so many                         */
    weir_timer_t pause;              /* accepting goes on when it is due                               */
    uint32_t holders;                /* connections that came in by it, and the worker while it is listed */
} weir_listener_t;

/** Stops accepting and closes the socket; harmless if it is stopped. */
void weir_listener_stop(weir_listener_t *listener);

static inline weir_listener_t *weir_listener_hold(weir_listener_t *listener)
{
    listener->holders++;
    return listener;
}

/** Lets go of it; the last one who does frees it. Harmless on NULL. */
void weir_listener_release(weir_listener_t *listener);

#endif
