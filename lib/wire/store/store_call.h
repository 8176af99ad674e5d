/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_CALL_H
#define WEIR_WIRE_STORE_CALL_H
/**
 * @file  A call of gRPC: one message there, and one or many back, on a stream of its own.
 *
 *   begin ─► turns of the link ─► messages, one after another ─► has_ended ─► finish
 *
 * Messages that nobody has taken yet are kept, and the window of the stream is what bounds them: it opens anew when all have
 * been taken. A single message may be longer.
 *
 * OWNER    Whoever began it.
 * THREAD   The client's.
 */
#include "lib/wire/loop/bytes.h"
#include "lib/wire/store/store_frames.h"
#include "lib/wire/store/store_link.h"
#include "lib/wire/store/store_status.h"

typedef struct store_message {
    struct store_message *next;
    weir_span_t bytes;
} store_message_t;

typedef struct store_call {
    weir_list_t link; /* in the connection's `calls` */
    store_link_t *on;
    int32_t id;
    bool goes_on;             /* our side stays open behind its message        */
    bool has_ended;           /* the peer has said all; our side may be open yet */
    bool is_closed;           /* neither side has anything to say                */
    bool was_refused;         /* nobody has looked at it                       */
    bool is_too_long, is_bad; /* a message was: the stream was reset by us */
    uint32_t reset_code;
    weir_bytes_t request; /* what is not sent yet */
    store_frames_t frames;
    store_message_t *first, **last;
    size_t owed_bytes; /* of the window: they wait here */
    uint64_t heard_at_ms;
    store_status_t status;
} store_call_t;

typedef struct store_call_settings {
    const char *path, *scheme, *authority;
    const char *token; /* NULL: none */
    bool wants_leader; /* it is to end when the member has none */
    bool goes_on;
    size_t most; /* the longest message that is taken */
} store_call_settings_t;

/** Begins a call with a message, which is taken over with its frame's head. NULL: the link takes none. */
store_call_t *store_call_begin(store_link_t *link, const store_call_settings_t *settings, weir_bytes_t *request);

/** The next message; the caller's to free(3). False: there is none, or none yet. */
bool store_call_take(store_call_t *call, weir_span_t *out);

/** What has become of a call that has ended, with the sentence. */
weir_etcd_status_t store_call_judge(const store_call_t *call, char problem[static WEIR_ETCD_PROBLEM_BYTES]);

/** Resets it if it is not closed, frees and nulls; harmless on NULL. */
void store_call_finish(store_call_t **slot);

/* ---- for store_link.c ---- */

/** What the session tells of calls. */
void store_call_set_callbacks(nghttp2_session_callbacks *callbacks);

/** The peer has said all. */
void store_call_on_end(nghttp2_session *session, int32_t id);

/** The connection has ended, and so has the call. */
void store_call_lose(store_call_t *call);

#endif
