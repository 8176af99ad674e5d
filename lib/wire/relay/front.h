/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FRONT_H
#define WEIR_WIRE_FRONT_H
/**
 * @file  The client's side of one exchange, inside lib/wire: what the relay may ask of any front.
 *
 * A front (HTTP/1, HTTP/2) makes an h2o_req_t and has room for a weir_front_t beside it. Responses
 * go out through h2o_start_response() and h2o_send(), so that libh2o's filters and loggers see them; what libh2o has no words
 * for (request bodies as they come, interim responses, tunnels) goes through front_ops.
 *
 * LIFETIME Until the h2o request is disposed of; from then on x->front is NULL.
 * RULE     No call from the walk may dispose of the request on the walk's stack: fronts end requests from the loop.
 */
#include <h2o.h>

#include "lib/walk/front.h"
#include "lib/wire/sock/sock.h"

enum { WEIR_BODY_PIECES = 32 }; /* most pieces of a body that are handed over at once, in either direction */

/** Takes the bytes of a request's body as they come. */
typedef struct weir_body_sink {
    /**
     * At most WEIR_BODY_PIECES, which are borrowed for the call and must be taken whole; is_last comes once, perhaps with no
     * pieces.
     */
    void (*on_data)(struct weir_body_sink *sink, const weir_span_t *pieces, size_t count, bool is_last);
    /**
     * The body will not be completed: client_closed, client_timeout, client_bad_chunk, client_trailer_length. Once, then
     * nothing more.
     */
    void (*on_fault)(struct weir_body_sink *sink, const weir_fault_t *fault);
    /**
     * Optional. Moves at most `left_bytes` out of the readable `fd` without copying (splice). How many, WEIR_SOCK_END,
     * _BLOCKED, _BROKEN, or WEIR_SINK_COPIES: read them and call on_data.
     */
    ssize_t (*move)(struct weir_body_sink *sink, int fd, uint64_t left_bytes);
} weir_body_sink_t;

enum { WEIR_SINK_COPIES = -3 };

/**
 * What differs between fronts; those that cannot do something have NULL where it says so. Every function is called from the
 * loop's thread with a request of that front.
 */
typedef struct weir_front_ops {
    /**
     * Only for fronts of libh2o's own, which frame the response by themselves, write Date and Server, and take one piece at a
     * time: sends what lives until they proceed. Then proceed is called; true if there is nothing more to be done.
     */
    void (*foreign_send)(h2o_req_t *req, h2o_iovec_t piece, bool is_last);
    bool (*foreign_proceed)(h2o_req_t *req);
    /** Room for a weir_front_t as long as the request; its front calls weir_front_on_disposed() at the request's end. */
    weir_front_t *(*attach)(h2o_req_t *req);
    /**
     * What holds the bytes that the request came with (lib/base/counted.h), so that nobody needs a copy of them. NULL: others
     * have them, for as long as the h2o request is there.
     */
    void *(*memory)(h2o_req_t *req);
    /** The request's fields in the order received; valid as long as the h2o request. */
    const weir_headers_t *(*headers)(h2o_req_t *req);
    weir_framing_t (*framing)(h2o_req_t *req);
    /** Fills in what the connection decides: peer_ip, peer_port, listen_port, is_proxied, proxy_tlvs. */
    void (*peer)(h2o_req_t *req, weir_request_t *request, weir_arena_t *arena);

    /** Starts to hand the body to `sink`; what has already arrived comes before this returns. Once per request. */
    void (*body_open)(h2o_req_t *req, weir_body_sink_t *sink);
    /** Hands out no more until resumed. May be called inside on_data. */
    void (*body_pause)(h2o_req_t *req);
    /** May hand out what has arrived before it returns. */
    void (*body_resume)(h2o_req_t *req);
    /** Forgets the sink; the rest of the body is the front's to discard. */
    void (*body_close)(h2o_req_t *req);
    /** The trailer fields of a chunked body that is complete, in `arena`. */
    void (*trailers)(h2o_req_t *req, weir_arena_t *arena, weir_headers_t *out);
    /** Whether any byte of the body was handed out. */
    bool (*is_body_touched)(h2o_req_t *req);
    /** Whether a part of the body has arrived and waits. */
    bool (*has_body_bytes)(h2o_req_t *req);

    /**
     * Sends an interim response before whatever follows. `headers` may be NULL, and is borrowed for the call. Returns how many
     * bytes of it are not in the kernel's hands yet, if any: then relay_on_client_writable() is called when they are.
     */
    size_t (*interim)(h2o_req_t *req, uint16_t status, const weir_headers_t *headers);
    /** Whether all that was sent is in the kernel's hands, so that more may be sent. */
    bool (*is_writable)(h2o_req_t *req);
    /** How much of what was sent is not in the kernel's hands. NULL: nobody knows. */
    size_t (*unsent_bytes)(h2o_req_t *req);
    /** Closes the connection without completing the response, from the loop. */
    void (*cut)(h2o_req_t *req);
    /** Why the response did not reach the client; NULL if it did. Asked when the request is disposed of. */
    const weir_fault_t *(*why_gone)(h2o_req_t *req);

    /**
     * From now on the body is whatever the client sends, and the response is what it gets. Before the 101 is sent, whose
     * headers are `answer`. A fault if they do not answer what the front has asked in the client's place.
     */
    const weir_fault_t *(*start_tunnel)(h2o_req_t *req, const weir_headers_t *answer);
    /** Ends the direction towards the client once all that was sent is out; the other goes on. Tunnels only. */
    void (*half_close)(h2o_req_t *req);

    /* For splice(2), behind the front's back. NULL in fronts that cannot. */
    /** The socket into which `left_bytes` of a body of known length may be moved, or NULL. */
    weir_sock_t *(*splice_sink)(h2o_req_t *req);
    /** `count` response bytes were moved; is_last: the response is complete. */
    void (*sink_spliced)(h2o_req_t *req, size_t count, bool is_last);
    /** Runs the front's on_writable when the socket can be written again; the front's write timer runs. */
    void (*sink_await)(h2o_req_t *req);
} weir_front_ops_t;

struct relay;

struct weir_front {
    h2o_generator_t generator; /* first: h2o hands it back */
    h2o_req_t *req;
    const weir_front_ops_t *ops;
    weir_exchange_t *x; /* NULL: nobody is interested any more */
    weir_loop_t *loop;
    bool is_direct;                   /* no filter of libh2o stands between us and the front's final ostream */
    bool is_started;                  /* h2o_start_response() was called                          */
    bool is_complete;                 /* the last byte was handed to h2o_send()                   */
    bool must_close;                  /* the client's connection ends with this response          */
    bool is_stopped;                  /* libh2o took the response over (an error document)        */
    weir_headers_t trailers;          /* behind a body we chunk; set before the last piece */
    char *held;                       /* not direct: bytes lent to libh2o's filters until they proceed */
    struct relay *relay;              /* moves the response, or NULL                      */
    void (*then)(weir_exchange_t *x); /* a reply waits for its delivery, or NULL  */
};

/** The request has been disposed of: its response has reached the client, or the client is gone. Called once by the front. */
void weir_front_on_disposed(weir_front_t *front);

/**
 * Ends the exchange before the request, which stays libh2o's with what it was given: why_gone() says why. Harmless if it has
 * ended.
 */
void weir_front_let_go(weir_front_t *front);

/** Makes req's front serve `x` and sets x->front. */
void weir_front_attach(weir_exchange_t *x, h2o_req_t *req, const weir_front_ops_t *ops);

/** How much room weir_front_fill_headers() needs. */
size_t weir_front_fill_bytes(const weir_headers_t *headers);

/**
 * Tells libh2o a request's fields, but for those it has a place of their own for. What it needs for that goes into `room`,
 * aligned for pointers; that and `headers` must live as long as the request.
 */
void weir_front_fill_headers(h2o_req_t *req, const weir_headers_t *headers, char *room);

/**
 * The authority that libh2o is told: `named` by the request, or weir.default-host where that is empty. Lives as long as the
 * request's context.
 */
h2o_iovec_t weir_front_authority(const struct weir_context *context, weir_span_t named);

/**
 * For fronts, when libh2o has handed a request on, which may now wait for long: gives back the 4 KiB of its pool, if all that
 * is in there is a reference to the time it came at. Returns what is to be released (h2o_mem_release_shared) when the request
 * has been disposed of; NULL: nothing.
 */
void *weir_front_trim_pool(h2o_req_t *req);

/** Now, by the clock that libh2o has its log tell the times of a request with. */
struct timeval weir_front_instant(const h2o_req_t *req);

/** Fills req->res from `head`; nothing is sent yet. Before the first send it may be done again. */
void weir_front_prepare(weir_front_t *front, const weir_reply_head_t *head);

/**
 * Has the body of a response whose length is known go out in chunks, for trailers that come behind it, if HTTP/1.1 is spoken
 * and the head is still here.
 */
void weir_front_chunk(weir_front_t *front);

/**
 * Sends pieces of the response body (the head goes out with the first of them; none at all sends the head alone). The pieces
 * are borrowed for the call. is_last completes the response. Returns whether more may be sent now; if not, the
 * relay's on_client_writable runs when it may.
 */
bool weir_front_send(weir_front_t *front, h2o_iovec_t *pieces, size_t count, bool is_last);

/**
 * Has every request of this thread that is under way say who answers it: weir.app and weir.backend in its environment, as the
 * access log calls them.
 */
void weir_front_note_backends(void);

/**
 * Marks an ostream that has no further use for what it was handed when its do_send() returns, as its `stop`: ours are all of
 * that kind, libh2o's filters may keep the pieces until they proceed. Does nothing.
 */
void weir_front_takes_at_once(h2o_ostream_t *ostream, h2o_req_t *req);

/** Whether all that is behind and including `ostream` is so marked. */
bool weir_front_is_taken_at_once(const h2o_ostream_t *ostream);

/**
 * The value of the Transfer-Encoding field by which we tell libh2o's chunked filter to keep out and the front's final ostream
 * to frame the body itself; compared by address.
 */
extern const char weir_front_framing_mark[];

/** For filters that take the length of a response away: it is framed in chunks by the front, if that is one of ours. */
void weir_front_frame_in_chunks(h2o_req_t *req);

#endif
