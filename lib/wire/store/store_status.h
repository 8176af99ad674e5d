/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_STATUS_H
#define WEIR_WIRE_STORE_STATUS_H
/**
 * @file  How a call of gRPC has ended, by the fields of its head and of its trailers, which may be one (trailers-only).
 *
 * Pure. OWNER  Embedded in a call.
 */
#include "lib/wire/store/etcd.h"

typedef struct store_status {
    int http;     /* 0: no head has come                                  */
    bool is_grpc; /* its content-type says so                             */
    int code;     /* of gRPC; WEIR_ETCD_CODE_NONE: it has not come (yet)  */
    char message[WEIR_ETCD_PROBLEM_BYTES - 32];
} store_status_t;

void store_status_init(store_status_t *status);

/** Reads a field of the head or of the trailers; others than its own are passed over. */
void store_status_take(store_status_t *status, weir_span_t name, weir_span_t value);

/** What the end of the stream means, with the sentence. */
weir_etcd_status_t store_status_judge(const store_status_t *status, char problem[static WEIR_ETCD_PROBLEM_BYTES]);

/** Whether the token of a user is not known (any more), so that another one would help. */
bool store_status_wants_token(const store_status_t *status);

/** Copies what fits, one line of printable characters; `bytes` 1 or more. */
void store_copy_words(char *to, size_t bytes, weir_span_t from);

#endif
