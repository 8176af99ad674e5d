/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_HTTP2_PRIVATE_H
#define WEIR_WIRE_BACK_HTTP2_PRIVATE_H
/**
 * @file  What the files of back_http2*.c share: _pool.c (who gets which connection), back_http2.c (a connection's bytes, timers
 * and
 *        end), _read.c (what the backend's frames mean), _relay.c (one stream between its client and the connection).
 *
 * RULE     libnghttp2 calls us back while it reads or writes, and must not be destroyed meanwhile: is_inside. Whoever wants the
 *          connection's end then, leaves it in `end_fault`.
 */
#include <nghttp2/nghttp2.h>

#include "lib/wire/back/back_http2.h"
#include "lib/http/http2_frames.h"
#include "lib/wire/loop/loop.h"
#include "lib/wire/relay/relay.h"

/** The header block that is being read; a connection has one at a time (RFC 9113 §4.3). */
typedef struct back_http2_block {
    weir_bytes_t text; /* names and values, one behind the other */
    struct {
        uint32_t name_len, value_len;
    } * at;
    size_t count, capacity;
    uint16_t status;
} back_http2_block_t;

struct back_worker;
struct handed;

/** What a connection is to be like; of a worker's, its endpoint says it. */
typedef struct back_http2_manner {
    uint32_t ping_ms, idle_ms;
    uint32_t stream_window, connection_window;
    struct back_worker *worker; /* NULL: we have dialled */
    const weir_bytes_t *before; /* what goes out in front of HTTP/2; NULL: nothing */
} back_http2_manner_t;

/** One connection. */
struct weir_http2 {
    weir_sock_t sock;
    weir_loop_t *loop;
    nghttp2_session *session;
    struct back_http2_place *place; /* never NULL before its end   */
    weir_list_t link;               /* among its place's, while others may take streams of it */
    weir_list_t in_pool;            /* among all of the loop's     */
    struct back_worker *worker;     /* that has dialled us, see back_worker.h; NULL: we have dialled */
    back_http2_wait_t *opener;      /* who opened it, until SETTINGS have come; or NULL */
    weir_list_t streams;            /* of back_http2_stream_t      */
    bool is_idle;                   /* it has served, and has no stream: counted so */
    size_t stream_count;
    weir_list_t emptied; /* streams whose clients may go on sending  */
    weir_list_t headed;  /* streams that got a head in this read     */
    weir_bytes_t out;    /* not yet taken by the kernel              */
    back_http2_block_t block;
    weir_http2_frames_t frames; /* as they come in */
    weir_timer_t timer;         /* SETTINGS awaited, silence, idleness */
    weir_letter_t flush;
    uint64_t heard_at_us; /* the latest bytes of the backend */
    uint32_t ping_ms, idle_ms;
    const weir_fault_t *end_fault; /* it must end for this reason  */
    bool is_inside;                /* libnghttp2 is on the stack   */
    bool is_flush_posted;
    bool is_ready;    /* SETTINGS have come                            */
    bool is_draining; /* takes no new streams, ends behind the last one */
    bool is_leaving;  /* our GOAWAY is on its way, nobody uses it       */
    bool is_alone;
    bool is_used; /* has carried a stream      */
    bool is_pinging;
};
typedef struct weir_http2 back_http2_t;

/** One stream; what an exchange holds. */
typedef struct back_http2_stream {
    weir_back_t back;    /* in: read ahead of the client; out: the client's, ahead of the backend's window */
    back_http2_t *http2; /* NULL once the connection has ended */
    weir_list_t link;
    weir_list_t emptied, headed; /* in the lists of these names, or in none */
    int32_t id;                  /* 0: not begun */
    size_t uncredited_bytes;     /* given to the client's side, which is full: the backend has no window for them yet */
    size_t received_bytes;       /* of the body */
    const weir_fault_t *why;     /* what we found wrong with it; what ended it before it began */
    bool has_final;              /* the final head has come */
    bool is_connect;             /* an extended CONNECT (RFC 8441): bytes both ways once it is answered */
    bool is_resetting;           /* our RST_STREAM is on its way */
    bool is_closed;              /* libnghttp2 has forgotten it  */
    bool is_released;            /* the exchange has             */
    bool was_reset;              /* by the backend               */
    bool is_unsent;              /* its head has not left and never will */
    bool has_goaway;             /* the backend's GOAWAY does not count it */
    bool is_unreset;             /* nobody wants it, and its RST_STREAM has to wait: back_worker.h */
    bool is_agent;               /* of `handed`, the half on the connection's loop */
    struct handed *handed;       /* its other half is on another loop: back_http2_handed.h; NULL: none */
} back_http2_stream_t;

/* ---- back_http2.c ---- */

/**
 * Takes over a connected socket and sends the preface and SETTINGS; in no place yet. It ends itself, or by back_http2_end().
 */
back_http2_t *back_http2_create(weir_loop_t *loop, weir_sock_t *sock, const back_http2_manner_t *manner);
/** Nobody uses it: says so, and ends when that is out. */
void back_http2_leave(back_http2_t *http2);
/** The same where its loop does not run any more: what the kernel takes of it at once. */
void back_http2_say_goodbye(back_http2_t *http2);
/** A PING every ping_ms, and the end if nothing at all has come behind one. */
void back_http2_check_life(back_http2_t *http2, bool is_always);
/** What the backend has sent. */
void back_http2_receive(back_http2_t *http2, weir_span_t bytes);
/** Soon, from the loop: what libnghttp2 has to send is sent. */
void back_http2_post_flush(back_http2_t *http2);
/**
 * Ends it. Streams that still wait for something fail: with `fault`, or, if their responses had begun, as fits that. May be
 * gone afterwards.
 */
void back_http2_end(back_http2_t *http2, const weir_fault_t *fault);
/** Takes no new streams. */
void back_http2_retire(back_http2_t *http2);
/** Whether a new stream may be begun. */
bool back_http2_has_room(const back_http2_t *http2);
/** The first stream has come, or the last one gone: another timer. Not of a worker's: that has its PINGs. */
void back_http2_rearm(back_http2_t *http2);

/* ---- back_http2_read.c ---- */

/** What libnghttp2 is to call; the caller deletes it once a session has been made with it. */
nghttp2_session_callbacks *back_http2_callbacks_create(void);

/** A head, or trailers, of a stream whose relay is here. */
void back_http2_stream_take_head(back_http2_stream_t *stream, const back_http2_block_t *block, bool is_last);
void back_http2_stream_take_trailers(back_http2_stream_t *stream, const back_http2_block_t *block);

/* ---- back_http2_relay.c ---- */

extern const weir_back_ops_t back_http2_ops;

/** Whether a field's value is to stay out of HPACK's table, which many clients share. */
bool back_http2_is_secret(weir_span_t name);
/** A stream for an exchange; begun when its relay starts. */
weir_back_t *back_http2_stream_create(back_http2_t *http2);
void back_http2_stream_destroy(back_http2_stream_t *stream);
/** The relay of it, if one is under way. */
relay_t *back_http2_relay_of(const back_http2_stream_t *stream);
/** The final head is there and has been passed on; or it is the end. */
void back_http2_stream_head(back_http2_stream_t *stream);
void back_http2_stream_data(back_http2_stream_t *stream, weir_span_t bytes);
/** The backend has said all. */
void back_http2_stream_finish(back_http2_stream_t *stream);
/** The stream is over: `fault` is why, if something is still waited for. */
void back_http2_stream_lost(back_http2_stream_t *stream, const weir_fault_t *fault);
/** The client may go on sending. */
void back_http2_stream_resume(back_http2_stream_t *stream);
/** Resets it, if that is still to be done. False: it has to wait, because a worker is not to have too many of them. */
bool back_http2_stream_reset(back_http2_stream_t *stream);
/** The other half's connection has taken more of the client's body. */
void back_http2_stream_sent_more(back_http2_stream_t *stream);
/** Fills in what the backend gets next of the body: nghttp2_data_source_read_callback. */
ssize_t back_http2_stream_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length, uint32_t *flags,
                               nghttp2_data_source *source, void *arg);

/* ---- back_http2_pool.c ---- */

/** A worker's: requests that are for its number may have streams of it when its SETTINGS have come. */
void back_http2_join(back_http2_t *http2, uint64_t worker_number);
/** SETTINGS have come. */
void back_http2_on_ready(back_http2_t *http2);
/** A stream may be free again: those that wait for one are served. */
void back_http2_on_room(back_http2_t *http2);
/** It is about to be freed; whoever opened it fails with `fault`. */
void back_http2_on_end(back_http2_t *http2, const weir_fault_t *fault);

#endif
