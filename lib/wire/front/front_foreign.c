/* SPDX-License-Identifier: MIT */
/*
 * The client's side where the request came by one of libh2o's own fronts, in an application that embeds Weir.
 *
 * Such a front hands over the body whole, has answered an expectation of 100 by itself, knows no trailers and no interim
 * responses, and frames the response. What it lacks and we need: a timer for a client that takes nothing, and an end in the
 * middle.
 *
 * Upgrades are not asked for. h2o_http1_upgrade() would give us the socket behind the 101, but a tunnel on it would be less
 * than ours are: libh2o writes the 101 without a timer and disposes of the request meanwhile; a TLS socket of libh2o's cannot
 * be taken apart, does not report the client's close_notify, so that no direction can end by itself, and reads without a bound.
 * An application that wants upgrades has weir_accept(), which takes what h2o_accept() takes.
 */
#include "lib/wire/front/front_foreign.h"

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/token_list.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/client/peer.h"
#include "lib/wire/relay/relay.h"

enum { SLICE_BYTES = 65536, MARK_BYTES = 12 };

typedef struct foreign {
    weir_front_t front;
    h2o_req_t *req;
    weir_headers_t headers;
    weir_body_sink_t *sink;
    size_t body_at;
    bool is_feeding, is_paused;
    bool is_sending;  /* libh2o has not yet taken what it was given last */
    bool is_started;  /* it has been given something                     */
    bool must_finish; /* at the next turn: an empty end                  */
    bool must_cut;
    const weir_fault_t *fault;
    weir_timer_t stall;
    weir_letter_t turn;
} foreign_t;

static const char mark[MARK_BYTES + 1] = "weir.foreign";

/* libh2o has no place for a front's own data in a request but its environment. */
static foreign_t *foreign_of(h2o_req_t *req)
{
    return (foreign_t *)(void *)h2o_req_getenv(req, mark, MARK_BYTES, 0)->base;
}

/* ---- the head ---- */

/* What the front has dealt with, and what asks for a switch of protocols, which it does not let us do. */
static bool is_left_out(const h2o_header_t *field)
{
    return field->name == &H2O_TOKEN_UPGRADE->buf || field->name == &H2O_TOKEN_HTTP2_SETTINGS->buf ||
           field->name == &H2O_TOKEN_EXPECT->buf || field->name == &H2O_TOKEN_HOST->buf ||
           field->name == &H2O_TOKEN_CONTENT_LENGTH->buf || field->name == &H2O_TOKEN_TRANSFER_ENCODING->buf;
}

/* What Connection names (RFC 9110 §7.6.1), but for the switch of protocols that is left out. */
static weir_span_t without_upgrade(h2o_req_t *req, weir_span_t names)
{
    char *kept = h2o_mem_alloc_pool(&req->pool, names.len + 2), *at = kept;
    weir_span_t name;

    while (weir_token_list_next(&names, &name)) {
        if (weir_equal_nocase(name, WEIR_SPAN("upgrade")))
            continue;
        if (at > kept)
            *at++ = ',';
        at = weir_append(at, name);
    }
    return (weir_span_t){kept, (size_t)(at - kept)};
}

static void put(weir_headers_t *headers, weir_span_t name, weir_span_t value)
{
    headers->at[headers->count++] = (weir_header_t){name, value, weir_header_id(name)};
}

static weir_span_t span_of(h2o_iovec_t bytes)
{
    return (weir_span_t){bytes.base, bytes.len};
}

/* libh2o takes Host and the length out of the fields: they are put back. */
static void fill_headers(foreign_t *foreign)
{
    h2o_req_t *req = foreign->req;
    weir_headers_t *headers = &foreign->headers;
    char digits[20];

    headers->capacity = req->headers.size + 2;
    headers->at = h2o_mem_alloc_pool(&req->pool, headers->capacity * sizeof(headers->at[0]));
    put(headers, WEIR_SPAN("Host"), span_of(req->authority));
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *field = &req->headers.entries[i];
        weir_span_t name = {field->orig_name != NULL ? field->orig_name : field->name->base, field->name->len};
        if (field->name == &H2O_TOKEN_CONNECTION->buf)
            put(headers, name, without_upgrade(req, span_of(field->value)));
        else if (!is_left_out(field))
            put(headers, name, span_of(field->value));
    }
    if (req->entity.base == NULL)
        return;
    weir_span_t length = weir_span_of_u64(req->entity.len, digits);
    put(headers, WEIR_SPAN("Content-Length"), span_of(h2o_strdup(&req->pool, length.base, length.len)));
}

static void *memory_of(h2o_req_t *req)
{
    return NULL;
}

static const weir_headers_t *headers_of(h2o_req_t *req)
{
    return &foreign_of(req)->headers;
}

static weir_framing_t framing_of(h2o_req_t *req)
{
    if (req->entity.base == NULL)
        return (weir_framing_t){WEIR_FRAMING_NONE, 0};
    return (weir_framing_t){WEIR_FRAMING_LENGTH, req->entity.len};
}

static void peer_of(h2o_req_t *req, weir_request_t *request, weir_arena_t *arena)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } here = {.any.sa_family = AF_UNIX}, there = {.any.sa_family = AF_UNIX};
    weir_peer_t peer;
    (void)req->conn->callbacks->get_sockname(req->conn, &here.any);
    (void)req->conn->callbacks->get_peername(req->conn, &there.any);
    weir_peer_init_foreign(&peer, &there.any, weir_address_port(&here.any));
    peer.is_https = req->scheme == &H2O_URL_SCHEME_HTTPS;
    weir_peer_tell(&peer, request, arena);
}

/* ---- the request's body ---- */

static void feed(foreign_t *foreign)
{
    const h2o_iovec_t body = foreign->req->entity;

    if (foreign->is_feeding)
        return;
    foreign->is_feeding = true;
    while (foreign->sink != NULL && !foreign->is_paused && foreign->body_at < body.len) {
        size_t len = body.len - foreign->body_at < SLICE_BYTES ? body.len - foreign->body_at : SLICE_BYTES;
        weir_span_t piece = {body.base + foreign->body_at, len};
        foreign->body_at += len;
        foreign->sink->on_data(foreign->sink, &piece, 1, foreign->body_at == body.len);
    }
    foreign->is_feeding = false;
}

static void body_open(h2o_req_t *req, weir_body_sink_t *sink)
{
    foreign_t *foreign = foreign_of(req);

    foreign->sink = sink;
    foreign->is_paused = false;
    if (req->entity.len == 0)
        sink->on_data(sink, NULL, 0, true);
    else
        feed(foreign);
}

static void body_pause(h2o_req_t *req)
{
    foreign_of(req)->is_paused = true;
}

static void body_resume(h2o_req_t *req)
{
    foreign_of(req)->is_paused = false;
    feed(foreign_of(req));
}

static void body_close(h2o_req_t *req)
{
    foreign_of(req)->sink = NULL;
}

static void trailers_of(h2o_req_t *req, weir_arena_t *arena, weir_headers_t *out)
{
    *out = (weir_headers_t){0};
}

static bool is_body_touched(h2o_req_t *req)
{
    return foreign_of(req)->body_at > 0;
}

static bool has_body_bytes(h2o_req_t *req)
{
    return foreign_of(req)->body_at < req->entity.len;
}

/* ---- the response ---- */

static size_t interim(h2o_req_t *req, uint16_t status, const weir_headers_t *headers)
{
    return 0; /* libh2o has no words for it */
}

static bool is_writable(h2o_req_t *req)
{
    return false; /* it says when */
}

/* Of HTTP/1 only: HTTP/2 has other requests on the same connection. */
static void break_connection(foreign_t *foreign)
{
    h2o_socket_t *sock = foreign->req->conn->callbacks->get_socket(foreign->req->conn);

    if (foreign->req->version < 0x200 && sock != NULL)
        (void)shutdown(h2o_socket_get_fd(sock), SHUT_RDWR);
}

static void on_stall(weir_timer_t *timer)
{
    foreign_t *foreign = WEIR_AROUND(timer, foreign_t, stall);

    foreign->fault = &weir_fault_client_stalled;
    foreign->must_cut = true;
    break_connection(foreign);
    /* In libh2o's HTTP/2 nothing ends a stream from here: it keeps the request and what it was given, and the exchange goes */
    if (foreign->req->version >= 0x200)
        weir_front_let_go(&foreign->front);
}

static void give(foreign_t *foreign, h2o_iovec_t *piece, size_t count, h2o_send_state_t state)
{
    weir_exchange_t *x = foreign->front.x;

    foreign->is_sending = foreign->is_started = true;
    if (x != NULL)
        weir_timer_set(foreign->front.loop, &foreign->stall, x->plan->idle_timeout_ms, on_stall);
    h2o_send(foreign->req, piece, count, state);
}

/* An end without bytes: libh2o would dispose of the request on the caller's stack. */
static void on_turn(weir_letter_t *letter)
{
    foreign_t *foreign = WEIR_AROUND(letter, foreign_t, turn);

    if (foreign->is_sending)
        return; /* proceed goes on */
    if (foreign->must_cut)
        give(foreign, NULL, 0, H2O_SEND_STATE_ERROR);
    else if (foreign->must_finish)
        give(foreign, NULL, 0, H2O_SEND_STATE_FINAL);
    else if (foreign->front.relay != NULL)
        relay_on_client_writable(foreign->front.relay);
}

static void send_piece(h2o_req_t *req, h2o_iovec_t piece, bool is_last)
{
    foreign_t *foreign = foreign_of(req);

    if (foreign->is_started && piece.len == 0) {
        foreign->must_finish = is_last;
        weir_list_remove(&foreign->turn.link);
        weir_loop_post(foreign->front.loop, &foreign->turn);
        return;
    }
    give(foreign, &piece, piece.len > 0, is_last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static bool proceed(h2o_req_t *req)
{
    foreign_t *foreign = foreign_of(req);

    weir_loop_tick(foreign->front.loop);
    foreign->is_sending = false;
    weir_timer_cancel(&foreign->stall);
    if (!foreign->must_cut && !foreign->must_finish)
        return false;
    weir_list_remove(&foreign->turn.link);
    weir_loop_post(foreign->front.loop, &foreign->turn);
    return true;
}

static void cut(h2o_req_t *req)
{
    foreign_t *foreign = foreign_of(req);

    foreign->must_cut = true;
    break_connection(foreign);
    weir_list_remove(&foreign->turn.link);
    weir_loop_post(foreign->front.loop, &foreign->turn);
}

static const weir_fault_t *why_gone(h2o_req_t *req)
{
    const foreign_t *foreign = foreign_of(req);

    if (foreign->fault != NULL)
        return foreign->fault;
    return foreign->front.is_complete && !foreign->must_cut ? NULL : &weir_fault_client_closed;
}

static const weir_fault_t *start_tunnel(h2o_req_t *req, const weir_headers_t *answer)
{
    WEIR_MUST(answer == NULL); /* a switch of protocols was never asked for */
    return NULL;
}

static void half_close(h2o_req_t *req)
{
    /* there are no tunnels */
}

/* ---- life ---- */

static void on_dispose(void *memory)
{
    foreign_t *foreign = memory;

    weir_timer_cancel(&foreign->stall);
    weir_list_remove(&foreign->turn.link);
    if (foreign->front.loop == NULL)
        return;
    weir_loop_tick(foreign->front.loop);
    weir_front_on_disposed(&foreign->front);
}

void front_foreign_begin(h2o_req_t *req)
{
    foreign_t *foreign = h2o_mem_alloc_shared(&req->pool, sizeof(*foreign), on_dispose);

    memset(foreign, 0, sizeof(*foreign));
    foreign->req = req;
    foreign->turn.open = on_turn;
    weir_list_init(&foreign->turn.link);
    h2o_req_getenv(req, mark, MARK_BYTES, 1)->base = (char *)foreign;
    fill_headers(foreign);
}

static weir_front_t *attach(h2o_req_t *req)
{
    return &foreign_of(req)->front;
}

const weir_front_ops_t front_foreign_ops = {
    .foreign_send = send_piece,
    .foreign_proceed = proceed,
    .attach = attach,
    .memory = memory_of,
    .headers = headers_of,
    .framing = framing_of,
    .peer = peer_of,
    .body_open = body_open,
    .body_pause = body_pause,
    .body_resume = body_resume,
    .body_close = body_close,
    .trailers = trailers_of,
    .is_body_touched = is_body_touched,
    .has_body_bytes = has_body_bytes,
    .interim = interim,
    .is_writable = is_writable,
    .cut = cut,
    .why_gone = why_gone,
    .start_tunnel = start_tunnel,
    .half_close = half_close,
};
