/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LISTING_H
#define WEIR_WIRE_LISTING_H
/**
 * @file  Who is connected: the loops are asked one after the other, each between its events; none waits for another.
 *
 * OWNER    Who asks; until `done`, or the end of weir_server_run().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir_types.h"

struct crew;

/** A connection of a client's. Borrowed for the call. */
typedef struct weir_connection_told {
    uint64_t id;
    weir_span_t from;   /* its address, or a PROXY header's; empty: of a unix socket */
    const char *listen; /* where it came in                            */
    bool is_http2, is_https;
    unsigned loop; /* that serves it, from 1                           */
    unsigned in_flight;
    uint64_t age_ms;
} weir_connection_told_t;

typedef struct weir_listing {
    void (*each)(const weir_connection_told_t *told, void *context); /* on its loop's thread; one at a time */
    void (*done)(unsigned count, void *context);                     /* on the main one: how many there are */
    void *context;
} weir_listing_t;

/** Lists `most` of them. False: nobody is served, or others are being told. Any thread. */
bool weir_server_list(const weir_listing_t *listing, size_t most);

/* server.c: the main loop opens letters from now on, and no more. On the main thread. */
void listing_open(struct crew *crew);
void listing_close(void);

#endif
