/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ATTEMPT_H
#define WEIR_ATTEMPT_H
/**
 * @file  One dealing of a request with one service: from the pick to its check-in. What health, retries and statistics are made
 * of.
 */
#include "weir_types.h"

WEIR_C_BEGIN

/** How far it came. Each value includes those before it. */
typedef enum weir_reach {
    WEIR_REACH_NONE = 0,      /* no connection                                                   */
    WEIR_REACH_CONNECTED = 1, /* a connection, and nothing of the request written to it           */
    WEIR_REACH_SENT = 2,      /* from the first byte of the request on                            */
    WEIR_REACH_INTERIM = 3,   /* an interim response (1xx)                                        */
    WEIR_REACH_HEAD = 4,      /* the head of the final response, or a 101                         */
    WEIR_REACH_BODY = 5,      /* some of the response's body, or of the tunnel's bytes, went on to the client */
    WEIR_REACH_WHOLE = 6,     /* all of the response, or the tunnel's end                         */
} weir_reach_t;

/** Members are only ever appended; size tells which there are. */
typedef struct weir_attempt {
    size_t size;
    uint32_t number; /* 1: the request's first */
    weir_reach_t reach;
    uint16_t status;     /* of the backend's final response or its 101; 0: none                             */
    int16_t grpc_status; /* of a final response that is nothing but a head (gRPC's trailers-only); -1: none */
    bool was_reused;     /* the connection, or the HTTP/2 connection of the stream, had served others before */
    bool is_untouched;   /* it is certain that the backend has not acted on the request (RFC 9113 §8.7; nothing was written) */
    /**
     * The request can be sent once more: no byte of a final response and no interim one but 100 has gone to the client, no
     * switch of protocols is wanted, and its body is absent, not begun, or held whole (weir_backend_hold_body()). Whether that
     * does no harm is another question: see is_untouched, is_idempotent.
     */
    bool may_repeat;
    bool is_idempotent; /* by its method (RFC 9110 §9.2.2) */
    /* Since the pick, in microseconds; 0: not reached. */
    uint64_t connect_us;                 /* the connection is there */
    uint64_t head_us;                    /* the final head          */
    uint64_t whole_us;                   /* this moment, or the end of the response */
    uint64_t sent_bytes, received_bytes; /* to and from this backend, heads and framing included */
} weir_attempt_t;

WEIR_C_END

#endif
