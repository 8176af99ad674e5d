/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_JOURNAL_H
#define WEIR_WALK_JOURNAL_H
/**
 * @file  What happened to one request and when. Stages and the wire stamp it; 90 and the accessors of weir_request.h read it.
 *
 * Instants are monotonic microseconds, 0 for "not yet"; durations are computed only where both ends exist.
 */
#include "weir_types.h"

typedef struct weir_journal {
    uint64_t wall_start_us;       /* the head was complete, wall clock       */
    uint64_t start_at_us;         /* the same, monotonic                     */
    uint64_t checkout_at_us;      /* the router was last asked for a backend */
    uint64_t queue_us;            /* how long it took to name one, or to refuse; all times together */
    uint64_t connect_start_at_us; /* the latest attempt                     */
    uint64_t connected_at_us;     /* the attempt that connected              */
    uint64_t relay_at_us;         /* the head for the backend is made; this and the four below are of the latest relay */
    uint64_t head_sent_at_us;     /* it is out                               */
    uint64_t request_sent_at_us;  /* the last byte for the backend is out    */
    uint64_t first_byte_at_us;    /* the final response's head is there      */
    uint64_t last_byte_at_us;     /* the latest bytes of the backend         */
    uint64_t end_at_us;           /* the walk is over                        */
    uint32_t connects;            /* attempts                                */
    uint32_t picks, checkins;     /* services picked and checked in          */
    uint16_t backend_status;      /* of the latest final response, or its 101; 0: none yet */
    uint64_t backend_sent_bytes, backend_received_bytes;
    uint64_t client_sent_bytes;     /* body bytes handed to the client         */
    uint64_t client_received_bytes; /* body bytes taken from the client, unframed */
    uint16_t status;                /* sent to the client, or 499; 0: none     */
} weir_journal_t;

/** Whole milliseconds from `from_us` to `to_us`, or -1 if either is 0. Never negative otherwise. */
int64_t weir_journal_ms(uint64_t from_us, uint64_t to_us);

#endif
