/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_BACK_H
#define WEIR_WALK_BACK_H
/**
 * @file  What a stage may ask of the backend's side. Implemented by lib/wire and by t/unit/fake_*.c.
 *
 *   60 connect: weir_back_connect() … on success x->back is set
 *   70 relay:   weir_relay_start() … weir_relay_respond() … on_end
 *   leave of 60: weir_back_release()
 */
#include "lib/walk/front.h"

/**
 * Connects to x->target within plan->connect_timeout_ms: an idle connection of the loop's pool if the target's
 * keepalive is WEIR_REUSE and !x->wants_fresh, else a new one; a name is resolved in the background first.
 * then() runs once, on the spot or later: fault NULL and x->back set, or a fault and x->back NULL.
 * Stamps journal.connect_start_at_us and connected_at_us, counts connects.
 */
void weir_back_connect(weir_exchange_t *x, void (*then)(weir_exchange_t *x, const weir_fault_t *fault));

/** Gives up a connect that is under way; then() will not run. */
void weir_back_cancel(weir_exchange_t *x);

/**
 * Lets go of x->back (nulled; harmless if NULL): to the pool if the target's keepalive allows it and the exchange on it ended
 * exactly at a message's end, else it is closed.
 */
void weir_back_release(weir_exchange_t *x);

/** Whether x->back, or the HTTP/2 connection of its stream, has served others before. */
bool weir_back_is_reused(const weir_exchange_t *x);

/** Whether x->back came from the pool and not one byte of a response has been read from it. */
bool weir_back_is_stale(const weir_exchange_t *x);

/**
 * Whether it is certain that the backend has not acted on the request sent to x->back: HTTP/2, and the backend has said so (RFC
 * 9113 §8.7: REFUSED_STREAM, or a GOAWAY that does not count it), or the request never left.
 */
bool weir_back_is_untouched(const weir_exchange_t *x);

/** Whether the backend of x->back, which speaks HTTP/2, opens WebSockets by extended CONNECT (RFC 8441). */
bool weir_back_opens_websockets(const weir_exchange_t *x);

/** A request head as the backend's protocol wants it. Whoever starts a relay may free it behind the call. */
typedef struct weir_backend_head {
    weir_span_t text;      /* HTTP/1: all of it, with its empty line. FastCGI: the parameters, but for CONTENT_LENGTH */
    weir_headers_t fields; /* HTTP/2: all of it, pseudo-headers first, names in lower case */
    bool is_connect;       /* HTTP/2: an extended CONNECT; its 2xx is told as a 101        */
} weir_backend_head_t;

typedef struct weir_relay_events {
    /**
     * A response head is there: interim (1xx but not 101), 101, or final. Borrowed for the call. Answer before
     * returning: weir_front_interim() or nothing for interim ones; weir_relay_respond() or weir_relay_tunnel() for the others;
     * or weir_relay_stop() and a verdict.
     */
    void (*on_response)(weir_exchange_t *x, const weir_response_head_t *head);
    /**
     * It is over, once, from the loop. fault NULL: the response is complete and handed over to the client, or the
     * tunnel has ended. Otherwise what went wrong; x->has_responded tells whether a page is still possible.
     * Both sides are at rest: nothing more is read or written.
     */
    void (*on_end)(weir_exchange_t *x, const weir_fault_t *fault);
} weir_relay_events_t;

/**
 * Writes `head` (copied) to x->back, then the request's body as it comes (re-framed as `body` says), and reads the response.
 * Both directions hold bounded bytes: a side is read only while the other can be written. Timers:
 * first_byte_timeout_ms from the last request byte to the first of a response head, idle_timeout_ms between bytes either way.
 * While x->wants_continue the body is held back until the backend has sent a 100 (on_response sees it first) or the client
 * sends body bytes unasked.
 */
void weir_relay_start(weir_exchange_t *x, const weir_backend_head_t *head, weir_framing_t body,
                      const weir_relay_events_t *events);

/** In on_response: forwards this head and then the body, framed as head->framing says, to the client. Bodies of up to 64 KiB
 * are collected first, so that a backend that dies can still become a page. Sets x->has_responded once bytes go out.
 */
void weir_relay_respond(weir_exchange_t *x, const weir_reply_head_t *head);

/** In on_response of a 101: forwards the head and joins both connections until both directions have ended or were idle. */
void weir_relay_tunnel(weir_exchange_t *x, const weir_reply_head_t *head);

/**
 * Whether all that was taken of the request's body is kept (target.hold_body_bytes), so that another relay can send it again.
 * True also if nothing was taken.
 */
bool weir_relay_holds_body(const weir_exchange_t *x);

/** Whether the client has sent all of its body, and the relay has taken it. */
bool weir_relay_has_whole_body(const weir_exchange_t *x);

/** Whom a relay waits for. */
typedef enum weir_relay_side { WEIR_RELAY_NOBODY, WEIR_RELAY_CLIENT, WEIR_RELAY_BACKEND } weir_relay_side_t;

/**
 * Who has to send or to take something for the relay to go on. NOBODY: a backend that has the request may think about it
 * (first_byte_timeout_ms), a client may wait for a 100, a tunnel may be silent (tunnel_timeout_ms); or there is no relay.
 */
weir_relay_side_t weir_relay_waits_for(const weir_exchange_t *x);

/** Bytes of both bodies and the response's head: what has come from the client and what the kernel has taken for it. */
uint64_t weir_relay_moved_bytes(const weir_exchange_t *x);

/** Stops at once: nothing more is read or written, no event runs. The backend's connection is not reusable afterwards
 * unless the relay had ended. Harmless if none is under way. */
void weir_relay_stop(weir_exchange_t *x);

#endif
