/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FRONT_HTTP1_H
#define WEIR_WIRE_FRONT_HTTP1_H
/**
 * @file  HTTP/1.0 and 1.1 with clients: strict heads, streaming bodies, one response after the other.
 *
 *   HEAD ──complete──► BUSY ──response out──► HEAD            (kept alive)
 *    │                  │                └──► LINGER ──► gone  (something of the client's is unread)
 *    │                  └──broken off──► CUT ─────► gone       (what was written is delivered)
 *    └──refused──────► PAGE ──page out──────► LINGER
 *
 * Each state has a timer: HEAD header_timeout_ms (of the last request's path; before it the global one) from the connection or
 * the last response on, BUSY idle_timeout_ms while body bytes are wanted or response bytes are not taken, LINGER a fixed one,
 * CUT a fixed one for each bit of progress. A client that is not being read is looked at once a second.
 *
 * front_http1.c holds the connection and its states, front_http1_body.c the request's body, front_http1_reply.c
 * the response, front_http1_end.c the two ends that wait for the client.
 */
#include "lib/http/chunked.h"
#include "lib/wire/loop/bytes.h"
#include "lib/wire/client/client.h"
#include "lib/wire/client/refusal.h"
#include "lib/wire/relay/front.h"
#include "lib/wire/relay/relay.h"

typedef enum front_http1_state {
    FRONT_HTTP1_HEAD,
    FRONT_HTTP1_BUSY,
    FRONT_HTTP1_PAGE,
    FRONT_HTTP1_LINGER,
    FRONT_HTTP1_CUT
} front_http1_state_t;

typedef enum front_http1_encoding {
    FRONT_HTTP1_SILENT,  /* no body: HEAD, 204, 304              */
    FRONT_HTTP1_LENGTH,  /* left_bytes of it                     */
    FRONT_HTTP1_CHUNKED, /* we write the chunks                  */
    FRONT_HTTP1_PLAIN,   /* as it comes: until close, or chunked already by libh2o, or a tunnel */
} front_http1_encoding_t;

typedef struct front_http1_stream front_http1_stream_t;

typedef struct front_http1_conn {
    weir_client_t client; /* first */
    front_http1_state_t state;
    weir_timer_t read_timer, write_timer;
    weir_letter_t turn; /* what must not happen on the walk's stack: finish, cut, proceed */
    weir_bytes_t in;    /* arrived and not yet wanted */
    weir_bytes_t out;   /* not yet taken by the kernel */
    weir_request_reader_t reader;
    front_http1_stream_t *stream;
    uint32_t requests;
    uint32_t header_timeout_ms; /* of the last request's path; 0: none was known yet */
    size_t undelivered_bytes;   /* CUT: at the last look */
    uint64_t ends_at_us;        /* LINGER, CUT: at the latest */
    bool is_turn_posted;
    bool has_ended;            /* the client will send nothing more */
    bool must_cut;             /* close at the next turn, whatever is pending */
    bool may_be_http2;         /* no byte has contradicted it */
    const weir_fault_t *fault; /* why it is being cut */
} front_http1_conn_t;

/** One request and its response. */
struct front_http1_stream {
    h2o_req_t req;
    h2o_ostream_t final;
    front_http1_conn_t *conn;
    weir_context_t *context; /* the configuration it began with, held */
    weir_front_t *front;     /* NULL for libh2o's own handlers */
    weir_front_t front_memory;
    void *memory; /* of the head; see counted.h */
    void *time;   /* what weir_front_trim_pool() has returned */
    weir_headers_t headers;
    bool is_persistent; /* what the client asked for */
    size_t head_bytes;
    struct {
        weir_framing_t framing;
        uint64_t left_bytes; /* of a LENGTH */
        weir_chunk_decoder_t decoder;
        weir_arena_t trailers;
        weir_body_sink_t *sink;
        const weir_fault_t *fault; /* it will not be completed */
        bool is_done, is_paused, is_touched, is_tunnel;
    } body;
    struct {
        front_http1_encoding_t encoding;
        uint64_t left_bytes;
        bool is_head_sent;
        bool is_final;        /* the last piece was handed over           */
        bool must_proceed;    /* libh2o is waiting to send more           */
        bool is_half_closing; /* a tunnel's direction ends when out is empty */
        bool keeps_alive;
        bool is_delivered;
    } reply;
};

extern const weir_client_callbacks_t front_http1_callbacks;
extern const weir_front_ops_t front_http1_ops;

static inline front_http1_stream_t *front_http1_stream_of(h2o_req_t *req)
{
    return (front_http1_stream_t *)(void *)req;
}

/**
 * Takes over a client's connection: *sock is moved, and *peer with all it holds. The first byte to be read is HTTP's.
 * may_be_http2: it is handed on if it begins with HTTP/2's preface.
 */
void front_http1_accept(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, bool may_be_http2);
/** Whether the timer was a connection's that waits for a request of which no byte has come: it is closed. From the loop. */
bool front_http1_close_if_idle(weir_timer_t *timer);
/** The client had its time. */
void front_http1_on_read_timer(weir_timer_t *timer);

/**
 * The request has become something else, whose owner `to` takes the connection to (101): nothing was written. The front is gone
 * then. False, and nothing is changed: the client has sent something behind the head, or its end. From the loop only.
 */
bool front_http1_surrender(h2o_req_t *req, weir_sock_t *to);

/** Closes at once. From the loop only: it disposes of the request. */
void front_http1_close(front_http1_conn_t *conn);

/* ---- between the four files ---- */

enum {
    FRONT_HTTP1_LINGER_MS = 2000, /* without a byte, after our side was closed                      */
    FRONT_HTTP1_CUT_LOOK_MS = 10, /* how often it is looked whether the client has what was written */
};

/** Disposes of the request, if there is one: its line is logged, its walk has ended. */
void front_http1_drop_stream(front_http1_conn_t *conn);
/**
 * Makes conn->stream of a complete head, of which `bytes` are all. They are copied into the request's memory: nothing points
 * into our buffers. `context` is the request's from now on.
 */
void front_http1_begin_request(front_http1_conn_t *conn, weir_context_t *context, weir_request_head_t *head, weir_span_t bytes);

/** Our side is said; what the client still sends is read away so that no reset destroys what it has not yet read. */
void front_http1_linger(front_http1_conn_t *conn);
/** Lingering, bytes were read: a bounded number of times. */
void front_http1_linger_on(front_http1_conn_t *conn);
/**
 * The response will not be completed, and the client must see it. What was written before is delivered first: a reset would
 * destroy it, and with it earlier responses to pipelined requests.
 */
void front_http1_cut(front_http1_conn_t *conn);
/**
 * Looks whether the client has everything; closes, or looks again in FRONT_HTTP1_CUT_LOOK_MS: for 2 s without progress at most.
 */
void front_http1_await_delivery(front_http1_conn_t *conn);

/**
 * A client that has ended its side while it waits for a response is gone, if its path says so (weir.abort-on-close). True: it
 * was, and the connection is freed.
 */
bool front_http1_abandon(front_http1_conn_t *conn);

/**
 * The proxy drains, or a reload has taken the address away: closes an idle connection whose client cannot have asked. One that
 * was never asked on has WEIR_DRAIN_GRACE_MS. May free the connection.
 */
void front_http1_drain(front_http1_conn_t *conn);

/** How long the client has for what the state waits for; in front of a head: until the connection is closed. */
void front_http1_set_read_timer(front_http1_conn_t *conn, uint32_t delay_ms);

/** Has turn() of front_http1.c run from the loop. */
void front_http1_post_turn(front_http1_conn_t *conn);
/** Looks at where everything stands, and reads, waits or watches accordingly. */
void front_http1_update_watch(front_http1_conn_t *conn);
/** Hands `bytes` to the body's sink as far as they belong to it; keeps the rest in conn->in. */
void front_http1_feed_body(front_http1_conn_t *conn, weir_span_t bytes);
/** Lets the sink move body bytes out of the readable socket itself; results as of weir_body_sink_t.move. */
ssize_t front_http1_move_body(front_http1_conn_t *conn);
/** The client will send no more: a body that is not done is at fault, a tunnel's direction ends. */
void front_http1_end_body(front_http1_conn_t *conn);
/** Drops what has arrived of a body that nobody wants. */
void front_http1_discard_body(front_http1_conn_t *conn);
/** Has on_writable run when the client takes bytes again; the write timer runs meanwhile. */
void front_http1_await_writable(front_http1_conn_t *conn);
/** Writes what is in conn->out; true when it is empty. */
bool front_http1_flush(front_http1_conn_t *conn);
/** Writes, keeping in conn->out what the kernel does not take. */
void front_http1_write(front_http1_conn_t *conn, struct iovec *pieces, int count);
/** libh2o's final ostream. */
void front_http1_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state);
/** Writes an interim response (front_ops). */
size_t front_http1_interim(h2o_req_t *req, uint16_t status, const weir_headers_t *headers);
/** Answers a head that cannot be read (`request` NULL), or the request of a connection that is one too many, and closes. */
void front_http1_refuse(front_http1_conn_t *conn, const weir_fault_t *fault, const weir_refused_t *request);

#endif
