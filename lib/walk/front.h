/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_FRONT_H
#define WEIR_WALK_FRONT_H
/**
 * @file  What a stage may ask of the client's side. Implemented by lib/wire and by t/unit/fake_*.c.
 *
 * Every call is harmless when the client is gone (x->front is NULL); callbacks then still run, from the loop, but for those of
 * a stage that was cancelled.
 */
#include "lib/walk/exchange.h"

/**
 * A response head for the client. Borrowed for the call. Date, Server, Connection and framing fields are the front's to write.
 */
typedef struct weir_reply_head {
    uint16_t status;
    weir_span_t reason; /* empty: the registered one */
    const weir_headers_t *headers;
    weir_framing_t framing;  /* UNTIL_CLOSE: length unknown, the front chooses chunked or close */
    uint64_t content_length; /* to announce without a body (HEAD, 304), or UINT64_MAX     */
    bool must_close;         /* end the client's connection after this response           */
} weir_reply_head_t;

/**
 * Sends a whole response: a page or a redirect. `body` is copied. For HEAD only the head goes out, with the body's length.
 * then() runs once from the loop when the response has been handed over to the kernel or the client is gone. If a part of the
 * request's body is unread, the connection is closed after the response (lingering, so that it arrives).
 * Sets x->has_responded and journal.status.
 */
void weir_front_reply(weir_exchange_t *x, const weir_reply_head_t *head, weir_span_t body, void (*then)(weir_exchange_t *x));

/**
 * Sends an interim response (100, 102, 103, …) if the client speaks HTTP/1.1 or later; `headers` may be NULL, and is borrowed
 * for the call. The backend is not read any more until the client has taken it. False if it was not sent, because more than
 * 64 KiB of earlier ones still wait for the client: only HTTP/2 backends, whose connection others share, come so far.
 */
bool weir_front_interim(weir_exchange_t *x, uint16_t status, const weir_headers_t *headers);

/** Cuts the response that is under way: the client sees an early close, never a complete message. */
void weir_front_cut(weir_exchange_t *x);

/**
 * The walk is over and x is about to be destroyed: a client that has not been answered gets an empty 204 (Vegur: a halt), a
 * response that is not complete is cut. Called by the pipeline; harmless if the client is gone or served.
 */
void weir_front_finish(weir_exchange_t *x);

/** Whether any byte of the request's body has been taken from the client's side. */
bool weir_front_is_body_touched(const weir_exchange_t *x);

#endif
