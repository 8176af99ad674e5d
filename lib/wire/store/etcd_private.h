/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_ETCD_PRIVATE_H
#define WEIR_WIRE_ETCD_PRIVATE_H
/**
 * @file  What the parts of the client share.
 *
 * A call that ends with CUT takes the connection with it, and the watch: what comes next is weir_etcd_connect().
 */
#include <protobuf-c/protobuf-c.h>

#include "lib/base/arena.h"
#include "lib/wire/store/etcd.h"
#include "lib/wire/store/store_call.h"
#include "lib/wire/store/store_endpoint.h"

struct weir_etcd {
    store_endpoint_t *endpoints;
    size_t endpoint_count, at;
    bool has_tried;
    bool is_good; /* the connection, or the one before, has answered something: its endpoint is tried again first */
    char *ca_file, *certificate_file, *key_file, *server_name, *user, *password_file; /* NULL: as in the settings */
    uint32_t connect_timeout_ms, call_timeout_ms, ping_interval_ms, ping_timeout_ms;
    int wake_fd;
    store_link_t *link; /* NULL: there is no connection */
    char *token;        /* of the user; NULL: none, or not yet */
    uint64_t token_used_at_ms;
    store_call_t *watch; /* NULL: there is none */
    weir_arena_t news;   /* what the watch has said last */
    char problem[WEIR_ETCD_PROBLEM_BYTES];
    int code;
};

/** Whether there is a connection that takes calls; else CUT, with the problem. At the begin of each call. */
weir_etcd_status_t store_etcd_begin(weir_etcd_t *etcd);

/** Ends a call with this: what a CUT takes with it is gone then. Returns `status`. */
weir_etcd_status_t store_etcd_end(weir_etcd_t *etcd, weir_etcd_status_t status);

/** The same, with a sentence. */
weir_etcd_status_t store_etcd_fail(weir_etcd_t *etcd, weir_etcd_status_t status, const char *problem);

/** Somebody has woken us: from now on nobody has. */
weir_etcd_status_t store_etcd_woken(weir_etcd_t *etcd);

/** Begins a call with a message. NULL: the connection takes none, which is a CUT. */
store_call_t *store_etcd_call(weir_etcd_t *etcd, store_call_settings_t settings, const ProtobufCMessage *request);

/** Asks, and waits for the answer: one message, the caller's to free(3). A token that has grown old is made anew meanwhile. */
weir_etcd_status_t store_etcd_ask(weir_etcd_t *etcd, const char *path, const ProtobufCMessage *request,
                                  weir_span_t *out_answer);

/** Asks for a token, if there is a user. */
weir_etcd_status_t store_etcd_prove(weir_etcd_t *etcd);

/** What cannot be read: FAILED. */
weir_etcd_status_t store_etcd_malformed(weir_etcd_t *etcd);

/** Bytes for a request, which only reads them. */
static inline ProtobufCBinaryData store_bytes(weir_span_t span)
{
    return (ProtobufCBinaryData){span.len, (uint8_t *)(uintptr_t)span.base};
}

#endif
