/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FRONT_HTTP2_H
#define WEIR_WIRE_FRONT_HTTP2_H
/**
 * @file  HTTP/2 with clients: frames and HPACK by libnghttp2, each stream an exchange like any other.
 *
 *   OPEN ──drained, or nothing more to come──► ENDING ──GOAWAY out──► LINGER ──client's end, or its timer──► gone
 *    └──client broke a rule or a bound─────────► (its streams are gone at once)
 *
 * A stream:
 *   HEADERS ─► head ─► request ─► response ─► END_STREAM in the kernel's hands ─► disposed of (delivered)
 *                └► refusal page    └─ reset by either side, or connection's end ─► disposed of (gone)
 *
 * libnghttp2 is fed in on_readable and says what it wants to send into conn->out: at once when a response's bytes are lent
 * (they are copied once), else in the turn that follows; one write a turn. Nothing is disposed of under libnghttp2 or the walk:
 * that is the turn's.
 *
 * front_http2.c holds the connection, _session.c what libnghttp2 tells, _request.c a stream from its first HEADERS
 * to its request, _body.c the request's body, _reply.c the response, _guard.c what a client may not do too often.
 */
#include <nghttp2/nghttp2.h>

#include "lib/http/http2_frames.h"
#include "lib/http/http2_head.h"
#include "lib/wire/loop/bytes.h"
#include "lib/wire/client/client.h"
#include "lib/wire/client/refusal.h"
#include "lib/wire/relay/front.h"
#include "lib/wire/front/front_http2_memory.h"
#include "lib/wire/relay/relay.h"
#include "lib/wire/relay/websocket.h"

enum {
    FRONT_HTTP2_CREDIT_BYTES = 16384,      /* of the connection, which are worth an update */
    FRONT_HTTP2_GROWTH_BYTES = 4194304,    /* of the windows of a connection's streams, together */
    FRONT_HTTP2_LATE_MOST = 16,            /* streams with frames they may not have, in one read */
    FRONT_HTTP2_HEADS_BYTES = 1048576,     /* heads of all streams of a connection, if more than one */
    FRONT_HTTP2_HEAD_SPARE_BYTES = 262144, /* what may come of a head that is too large, and still be answered */
    FRONT_HTTP2_OUT_BYTES = 61440,         /* no frame is made while so much is not written */
    FRONT_HTTP2_UNREAD_MOST = 32,
    FRONT_HTTP2_FRAME_HEAD_BYTES = 9,
};

typedef enum front_http2_state { FRONT_HTTP2_OPEN, FRONT_HTTP2_ENDING, FRONT_HTTP2_LINGER } front_http2_state_t;

/** What the connection's own timer runs for. */
typedef enum front_http2_awaits {
    FRONT_HTTP2_NOTHING,
    FRONT_HTTP2_A_REQUEST,
    FRONT_HTTP2_A_HEAD,
    FRONT_HTTP2_LATE_REQUESTS,
    FRONT_HTTP2_THE_END
} front_http2_awaits_t;

typedef struct front_http2_stream front_http2_stream_t;

/** How often what a client does may happen; see front_http2_guard.c. */
typedef struct front_http2_bucket {
    uint64_t at_us; /* when `left` was right */
    int64_t left;
} front_http2_bucket_t;

/** A stream whose response is out, and whose request is not all there. */
typedef struct front_http2_unread {
    int32_t id;
    uint64_t since_us;
} front_http2_unread_t;

typedef struct front_http2_conn {
    weir_client_t client; /* first */
    front_http2_state_t state;
    nghttp2_session *session_at; /* see front_http2_session()    */
    front_http2_region_t region; /* its memory                   */
    weir_bytes_t out;            /* not yet taken by the kernel           */
    uint64_t out_end;            /* bytes that ever went into out         */
    weir_letter_t turn;          /* writes, disposes of what is over, wakes who waits */
    weir_timer_t timer;          /* for what `awaits` says                */
    front_http2_awaits_t awaits;
    weir_timer_t write_timer;
    weir_timer_t sleep_timer;
    weir_list_t streams; /* all of them                           */
    weir_list_t ending;  /* their END_STREAM is in out            */
    weir_list_t gone;    /* reset, or cut                         */
    weir_list_t waiting; /* to be told when they may send more    */
    size_t stream_count;
    size_t ending_count;
    size_t head_bytes;       /* of the requests under way */
    size_t grown_bytes;      /* of its streams' windows, beyond the setting */
    size_t unconsumed_bytes; /* of bodies, given to us by libnghttp2 and not consumed */
    uint32_t requests;
    front_http2_stream_t *heading; /* its header block is not complete    */
    struct {
        front_http2_bucket_t resets, frames, updates;
        weir_http2_frames_t incoming;
        struct {
            uint32_t stream, error_code;
        } late[FRONT_HTTP2_LATE_MOST]; /* resets that are due when libnghttp2 has seen what was read */
        size_t late_count;
    } guard;
    front_http2_unread_t *unread; /* FRONT_HTTP2_UNREAD_MOST of them, once there is one */
    size_t unread_count;
    weir_timer_t unread_timer;
    uint64_t data_sent_at_us;  /* the last time any stream's DATA went out */
    const weir_fault_t *fault; /* why it ends, NULL if it is nobody's fault */
    bool is_turn_posted;
    bool is_receiving, is_sending; /* libnghttp2 is on the stack    */
    bool is_draining, has_last_goaway;
    bool has_growth; /* its window has room for what its streams' may grow by */
    bool must_close; /* broken: close at the next turn              */
} front_http2_conn_t;

/** One request and its response. */
struct front_http2_stream {
    h2o_req_t req;
    h2o_conn_t seen;         /* the connection as this request sees it      */
    weir_context_t *context; /* the configuration it began with, held */
    h2o_ostream_t final;
    front_http2_conn_t *conn;
    weir_list_t link;      /* in conn->streams                     */
    weir_list_t end_link;  /* in conn->ending or ->gone            */
    weir_list_t wait_link; /* in conn->waiting                     */
    int32_t id;
    weir_front_t *front; /* NULL for libh2o's own handlers, and pages */
    weir_front_t front_memory;
    void *memory;       /* of the head once it is whole; see counted.h */
    void *time;         /* what weir_front_trim_pool() has returned    */
    weir_arena_t arena; /* of a head that is not whole; trailers       */
    weir_http2_head_t head, trailer;
    size_t head_bytes;         /* its part of conn->head_bytes */
    const weir_fault_t *fault; /* why its response is not delivered  */
    weir_timer_t body_timer;   /* its body is wanted                 */
    weir_timer_t reply_timer;  /* the client takes nothing of the response */
    bool is_begun;             /* libh2o has the request             */
    bool is_closed;            /* libnghttp2 has forgotten it        */
    bool is_tunnel;
    char key[WEIR_WEBSOCKET_KEY_BYTES]; /* asked of the backend, for an extended CONNECT */
    struct {
        weir_framing_t framing;
        weir_bytes_t held; /* arrived and not yet wanted             */
        weir_body_sink_t *sink;
        const weir_fault_t *fault;
        size_t taken_bytes, grown_bytes; /* since the window has grown; by how much it has */
        bool has_end;                    /* the client has sent all of it              */
        bool is_done;                    /* and all was handed over                    */
        bool is_paused, is_touched, is_dropped;
    } body;
    struct {
        weir_bytes_t held;       /* no room for it yet                     */
        const h2o_iovec_t *lent; /* as long as front_http2_send() runs     */
        size_t lent_count, lent_at, lent_bytes;
        unsigned interims;      /* that libnghttp2 has made no frames of yet   */
        uint64_t left_bytes;    /* of an announced length; else UINT64_MAX */
        uint64_t stalled_at_us; /* when the timer was set             */
        uint64_t end_at;        /* where END_STREAM stands, by conn->out_end */
        bool is_head_sent, is_silent, is_final, is_half_closed;
        bool is_deferred;
        bool is_end_sent; /* END_STREAM was made                    */
        bool is_ending;   /* and was the last there is to say       */
        bool must_proceed;
        bool is_delivered;
        bool is_cut;
    } reply;
};

extern const weir_client_callbacks_t front_http2_callbacks;
extern const weir_front_ops_t front_http2_ops;

static inline front_http2_stream_t *front_http2_stream_of(h2o_req_t *req)
{
    return (front_http2_stream_t *)(void *)req;
}

/** What the HTTP/2 connections of a loop share. Made with the loop, destroyed after its connections. */
struct front_http2_shared *front_http2_shared_create(weir_loop_t *loop);
/** For connections to come: what the newest configuration says. */
void front_http2_shared_use(struct front_http2_shared *shared, const weir_server_settings_t *settings);
/** Frees and nulls it; harmless on NULL. */
void front_http2_shared_destroy(struct front_http2_shared **shared);

/**
 * Takes over a client's connection: *sock is moved, and *peer with all it holds. `bytes` are those already read; the preface is
 * the first of them, or of what is still to be read.
 */
void front_http2_accept(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, weir_span_t bytes);
/** Whether the timer was a connection's without requests: it says GOAWAY and is closed. From the loop. */
bool front_http2_close_if_idle(weir_timer_t *timer);

/* ---- between the files ---- */

struct front_http2_shared {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    front_http2_memory_t *memory;
    weir_spare_t streams;
    nghttp2_nv *fields; /* of one response head at a time */
    size_t field_capacity;
    struct { /* body bytes of one stream that lie in the loop's scratch */
        front_http2_stream_t *stream;
        weir_span_t pieces[WEIR_BODY_PIECES];
        size_t count, bytes;
    } gathered;
};

/** libnghttp2's session of a connection. One that sleeps is woken. */
static inline nghttp2_session *front_http2_session(front_http2_conn_t *conn)
{
    if (conn->region.put_away != NULL)
        front_http2_region_wake(&conn->region);
    return conn->session_at;
}

/** Has the turn run from the loop. */
void front_http2_post_turn(front_http2_conn_t *conn);
/** Has libnghttp2 make frames into conn->out while there is room. Not while it is on the stack. */
void front_http2_make_frames(front_http2_conn_t *conn);
/** Writes what is in conn->out; the rest waits for the client. */
void front_http2_write(front_http2_conn_t *conn);
/** Ends the connection, with GOAWAY: every stream is gone. `fault` NULL: nobody's fault. May be called under libnghttp2. */
void front_http2_end(front_http2_conn_t *conn, const weir_fault_t *fault, uint32_t error_code);
/** libnghttp2 itself has said GOAWAY because of the client. Under libnghttp2. */
void front_http2_on_ended(front_http2_conn_t *conn, uint32_t error_code);
/** A PING of ours was answered. */
void front_http2_on_ping_answered(front_http2_conn_t *conn, const uint8_t *data);
/** Lets no more requests in; the connection ends when those in hand are done. */
void front_http2_drain(front_http2_conn_t *conn);
/**
 * The response of a stream is out before its request: the client gets a moment to end it, then it is reset. May be called under
 * libnghttp2.
 */
void front_http2_leave_unread(front_http2_conn_t *conn, int32_t id);
/** Sets the connection's timer for what it waits for. */
void front_http2_set_timer(front_http2_conn_t *conn);
/** The path's own idle timeout where a path is known. */
uint32_t front_http2_idle_ms(const front_http2_stream_t *stream);

/* _session.c */
/** Makes libnghttp2's session of a connection; SETTINGS are the first it has to say. */
void front_http2_session_begin(front_http2_conn_t *conn);

/* _request.c */
/** A stream whose header block begins; it is the connection's until front_http2_stream_dispose(). */
front_http2_stream_t *front_http2_stream_create(front_http2_conn_t *conn, int32_t id);
/** From the loop only. */
void front_http2_stream_dispose(front_http2_stream_t *stream);
/** The header block is complete. */
void front_http2_stream_begin(front_http2_stream_t *stream, bool has_body);
/** Its response won't be completed: reset, and disposed of in the turn. */
void front_http2_stream_cut(front_http2_stream_t *stream, uint32_t error_code);
/** Puts it among those to be disposed of. */
void front_http2_stream_on_gone(front_http2_stream_t *stream, const weir_fault_t *fault);

/* _body.c */
/** So many bytes of a body are no longer held: the client may send as many more. `id` 0: on other streams. */
void front_http2_body_consume(front_http2_conn_t *conn, int32_t id, size_t bytes);
/** Gives back the connection's credit as far as it was consumed. Not under libnghttp2. */
void front_http2_body_credit(front_http2_conn_t *conn);
/** Takes DATA that lies in the loop's scratch. */
void front_http2_body_data(front_http2_stream_t *stream, weir_span_t bytes);
/** Hands over what was gathered; is_last: it is all of the stream's body. */
void front_http2_body_hand_over(front_http2_conn_t *conn, bool is_last);
/** The client has sent END_STREAM. */
void front_http2_body_end(front_http2_stream_t *stream);
/** Forgets a stream that is disposed of. */
void front_http2_body_forget(front_http2_stream_t *stream);

/* _reply.c */
/** libh2o's final ostream. */
void front_http2_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state);
/** Sends an interim response's head, unless the stream is over. `headers` may be NULL. */
size_t front_http2_interim(h2o_req_t *req, uint16_t status, const weir_headers_t *headers);
/** libnghttp2 asks how much of a DATA frame there is. */
ssize_t front_http2_offer_data(front_http2_stream_t *stream, size_t most, uint32_t *flags);
/** Answers a head of which no request can be made (`request` NULL), or the request of a connection that is one too many. */
void front_http2_refuse(front_http2_stream_t *stream, const weir_fault_t *fault, const weir_refused_t *request);
/** Whether all that was sent has become frames, and there is room for more. */
bool front_http2_may_send(const front_http2_stream_t *stream);
/** Ends the direction towards the client when all that was sent is out. */
void front_http2_half_close(front_http2_stream_t *stream);
/** libnghttp2 wants DATA's bytes behind their frame's head. */
int front_http2_put_data(front_http2_stream_t *stream, const uint8_t *head, size_t count);
/** A frame with END_STREAM was made. */
void front_http2_on_end_sent(front_http2_stream_t *stream);

/* _guard.c */
/** Before the first byte. */
void front_http2_guard_init(front_http2_conn_t *conn);
/** Looks at the frames in `bytes`, before libnghttp2 does: it tells of none that it ignores. */
void front_http2_guard_scan(front_http2_conn_t *conn, weir_span_t bytes);
/** Behind it: resets the streams that had frames they may not have. */
void front_http2_guard_settle(front_http2_conn_t *conn);
/** We have sent RST_STREAM. */
void front_http2_guard_reset_sent(front_http2_conn_t *conn, uint32_t error_code);
/** We have sent or taken DATA: a client may answer it with updates and pings. */
void front_http2_guard_earn(front_http2_conn_t *conn, size_t bytes);
/** A head is complete. False if those of the connection are too large together: HPACK makes many large ones of few bytes. */
bool front_http2_guard_head(front_http2_stream_t *stream);
/** The stream is disposed of. */
void front_http2_guard_forget_head(front_http2_stream_t *stream);
/** A field has come; false if there were far too many. */
bool front_http2_guard_field(front_http2_conn_t *conn, const front_http2_stream_t *stream);

#endif
