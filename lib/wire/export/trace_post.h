/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_EXPORT_TRACE_POST_H
#define WEIR_WIRE_EXPORT_TRACE_POST_H
/**
 * @file  One message to a receiver of traces, and what it says to it: HTTP/1.1, a connection for each message.
 *
 * THREAD   One that serves nobody: it waits.
 */
#include "lib/wire/export/trace_receiver.h"

enum { WEIR_POST_TIMEOUT_MS = 10000, WEIR_POST_ANSWER_BYTES = 65536, WEIR_POST_PROBLEM_BYTES = 200 };

/** When the process ends, whoever waits has so much time left. */
typedef struct weir_post_stop {
    int fd;                    /* an eventfd: readable from then on    */
    _Atomic uint64_t until_ms; /* monotonic; 0: it does not end yet    */
} weir_post_stop_t;

typedef enum weir_post_end {
    WEIR_POST_TAKEN,
    WEIR_POST_REFUSED,     /* the same message will be refused again */
    WEIR_POST_UNREACHABLE, /* nobody knows whether it has arrived    */
    WEIR_POST_AGAIN,       /* it was not taken, and may be sent again: no connection, 429, 502, 503, 504 */
} weir_post_end_t;

typedef struct weir_post_result {
    weir_post_end_t end;
    uint64_t rejected;                     /* TAKEN: so many spans of it were not */
    uint32_t retry_after_ms;               /* AGAIN: what the receiver says; 0: nothing */
    char problem[WEIR_POST_PROBLEM_BYTES]; /* a sentence, or empty */
} weir_post_result_t;

/** Milliseconds of the monotonic clock. */
uint64_t weir_post_now_ms(void);

/**
 * Waits for what `events` says of `fd` until `deadline_ms`, or the end of what `stop` leaves. False when it is too late.
 */
bool weir_post_wait(int fd, short events, uint64_t deadline_ms, const weir_post_stop_t *stop);

/** Sends `body`, a JSON text. */
weir_post_result_t weir_trace_post(const weir_trace_receiver_t *receiver, weir_span_t body, const weir_post_stop_t *stop);

#endif
