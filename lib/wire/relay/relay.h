/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_RELAY_H
#define WEIR_WIRE_RELAY_H
/**
 * @file  The relay: where a front and a backend connection meet. Two directions, each with bounded bytes.
 *
 *   client ──body──► up:   sink of the front ──► back->out ──► backend          (back_http1_up.c, back_http2_relay.c)
 *   client ◄─reply── down: HEAD ─► COLLECT or BODY ─► DONE ─► delivered          (back_http1_down.c, back_http2_relay.c)
 *
 * A 101 turns both into a tunnel: bytes as they come, each direction ending by itself.
 * Timers (on back->timer): first byte, idle, backend not taking; the client's own slowness is timed by its front.
 */
#include "lib/http/chunked.h"
#include "lib/walk/back.h"
#include "lib/wire/relay/back.h"
#include "lib/wire/relay/front.h"
#include "lib/wire/relay/held_body.h"
#include "lib/wire/sock/splice.h"

typedef enum relay_state {
    RELAY_HEAD,    /* no final head yet                           */
    RELAY_COLLECT, /* the head waits for its short body           */
    RELAY_BODY,    /* the head is out or about to be              */
    RELAY_TUNNEL,
    RELAY_DONE, /* the backend has said all                    */
} relay_state_t;

typedef struct relay {
    weir_exchange_t *x;
    weir_back_t *back;
    const weir_relay_events_t *events;
    weir_letter_t end; /* on_end must run from the loop */
    const weir_fault_t *fault;
    bool is_over;

    struct {
        weir_body_sink_t sink;
        weir_span_t head;       /* not sent yet */
        size_t head_left_bytes; /* not yet in the kernel's hands */
        weir_framing_t framing;
        uint64_t taken_bytes;
        weir_pipe_t *pipe;
        bool has_last;  /* the client has sent all                    */
        bool is_done;   /* and all of it is in the kernel's hands     */
        bool is_broken; /* the backend takes no more                  */
    } up;
    struct {
        relay_state_t state;
        weir_response_reader_t reader;
        weir_framing_t framing;
        uint64_t left_bytes; /* of a LENGTH */
        weir_chunk_decoder_t decoder;
        weir_pipe_t *pipe;
        bool is_persistent;     /* the backend would go on            */
        bool is_client_blocked; /* the client takes no more for now   */
        size_t interim_bytes;   /* of interim responses that it has not taken */
        bool has_ended;         /* of a tunnel, and of an HTTP/2 stream: nothing more will come */
        bool has_surplus;       /* bytes behind the message's end     */
    } down;
} relay_t;

enum { RELAY_INTERIM_BYTES = 65536 }; /* of interim responses that wait for the client; one more may begin below it */

/** Whether another interim response may be sent. */
static inline bool relay_may_interim(const relay_t *relay)
{
    return relay->down.interim_bytes <= RELAY_INTERIM_BYTES;
}

/** So many bytes of one wait for the client: the backend's connection is not read until relay_on_client_writable(). */
static inline void relay_on_interim_left(relay_t *relay, size_t bytes)
{
    relay->down.is_client_blocked = true;
    relay->down.interim_bytes += bytes;
}

/** The client can take more. */
void relay_on_client_writable(relay_t *relay);

/** The client has all of it. */
void relay_on_delivered(relay_t *relay);

/* ---- for both protocols of backends ---- */

/* The client's side, as the relay talks to it; harmless once the client is gone. */

/** Hands out the body to relay->up.sink, beginning with what has arrived. */
void relay_open_body(relay_t *relay);

static inline void relay_pause_body(relay_t *relay)
{
    weir_front_t *front = relay->x->front;

    if (relay->x->held_body != NULL)
        held_body_pause(relay->x->held_body);
    else if (front != NULL)
        front->ops->body_pause(front->req);
}

static inline void relay_resume_body(relay_t *relay)
{
    weir_front_t *front = relay->x->front;

    if (relay->x->held_body != NULL)
        held_body_resume(relay->x->held_body);
    else if (front != NULL)
        front->ops->body_resume(front->req);
}

/** No more of it is wanted: by this relay, if another one may still want it (held_body.h), else by anybody. */
void relay_close_body(relay_t *relay);

/** The trailer fields behind a body that is complete; none if the client is gone. */
static inline weir_headers_t relay_trailers(relay_t *relay)
{
    weir_headers_t trailers = {0};
    weir_front_t *front = relay->x->front;

    if (front != NULL)
        front->ops->trailers(front->req, &relay->x->arena, &trailers);
    return trailers;
}

/** Of a tunnel: the backend's direction has ended. */
static inline void relay_half_close(relay_t *relay)
{
    weir_front_t *front = relay->x->front;

    if (front != NULL)
        front->ops->half_close(front->req);
}

/** So many bytes towards the backend are in the kernel's hands; the head comes first. */
void relay_count_sent(relay_t *relay, size_t bytes);
/** Ends the relay with a fault: everything stops, on_end runs from the loop. */
void relay_fail(relay_t *relay, const weir_fault_t *fault);
/** Sets the timer for what is being waited for now. */
void relay_arm(relay_t *relay);
/**
 * So many bytes of the client's have come, and perhaps the last. False if its body is longer than it may be: the relay has
 * failed.
 */
bool relay_count_up(relay_t *relay, size_t bytes, bool is_last);
/** The client's body will not be completed. A response that has begun may still be worth having. */
void relay_on_body_fault(weir_body_sink_t *sink, const weir_fault_t *fault);
/** A tunnel whose directions have both ended is over. */
void relay_check_tunnel(relay_t *relay);

#endif
