/* SPDX-License-Identifier: MIT */
/* HTTP/2 with clients: a stream, from its first HEADERS to the request that libh2o gets, and to its end. */
#include "lib/wire/front/front_http2.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/counted.h"
#include "lib/base/span.h"
#include "lib/http/host.h"
#include "lib/wire/client/client_tls.h"
#include "lib/wire/front/handler.h"

/* ---- what libh2o asks of the connection ---- */

/* The connection behind a stream's `seen`. */
static weir_client_t *client_of(h2o_conn_t *seen)
{
    return &WEIR_AROUND(seen, front_http2_stream_t, seen)->conn->client;
}

static h2o_iovec_t stream_id(h2o_req_t *req)
{
    char digits[20];
    weir_span_t text = weir_span_of_u64((uint64_t)front_http2_stream_of(req)->id, digits);

    return h2o_strdup(&req->pool, text.base, text.len);
}

const weir_client_callbacks_t front_http2_callbacks = {
    .super =
        {
            .get_sockname = weir_client_sockname,
            .get_peername = weir_client_peername,
            .get_socket = weir_client_socket,
            .log_ = {{.ssl = WEIR_CLIENT_TLS_LOG, .http2 = {.stream_id = stream_id}}},
        },
    .client_of = client_of,
};

/* ---- life ---- */

void front_http2_shared_destroy(struct front_http2_shared **shared)
{
    struct front_http2_shared *gone = *shared;

    if (gone == NULL)
        return;
    *shared = NULL;
    weir_spare_empty(&gone->streams);
    nghttp2_session_callbacks_del(gone->callbacks);
    nghttp2_option_del(gone->option);
    front_http2_memory_destroy(&gone->memory);
    free(gone->fields);
    free(gone);
}

front_http2_stream_t *front_http2_stream_create(front_http2_conn_t *conn, int32_t id)
{
    front_http2_stream_t *stream = weir_spare_take(&conn->client.loop->front_http2->streams, sizeof(*stream));

    memset((char *)stream + sizeof(stream->req), 0, sizeof(*stream) - sizeof(stream->req));
    stream->seen = conn->client.super;
    stream->context = weir_client_bind(&conn->client, &stream->seen);
    h2o_init_request(&stream->req, &stream->seen, NULL);
    stream->final.do_send = front_http2_send;
    stream->final.stop = weir_front_takes_at_once;
    stream->req._ostr_top = &stream->final;
    stream->conn = conn;
    stream->id = id;
    stream->reply.end_at = UINT64_MAX;
    weir_arena_init(&stream->arena);
    weir_list_append(&conn->streams, &stream->link);
    weir_list_init(&stream->end_link);
    weir_list_init(&stream->wait_link);
    conn->stream_count++;
    return stream;
}

void front_http2_stream_dispose(front_http2_stream_t *stream)
{
    front_http2_conn_t *conn = stream->conn;

    if (!stream->is_closed)
        (void)nghttp2_session_set_stream_user_data(front_http2_session(conn), stream->id, NULL);
    if (conn->heading == stream)
        conn->heading = NULL;
    weir_timer_cancel(&stream->reply_timer);
    front_http2_body_forget(stream);
    front_http2_guard_forget_head(stream);
    weir_list_remove(&stream->link);
    weir_list_remove(&stream->end_link);
    weir_list_remove(&stream->wait_link);
    conn->ending_count -= stream->reply.is_ending;
    conn->stream_count--;
    stream->req.timestamps.response_end_at = weir_front_instant(&stream->req);
    h2o_dispose_request(&stream->req); /* loggers run, if it has become a request */
    if (stream->front != NULL)
        weir_front_on_disposed(stream->front);
    weir_bytes_free(&stream->reply.held);
    weir_arena_finish(&stream->arena);
    weir_counted_release(stream->memory);
    if (stream->time != NULL)
        h2o_mem_release_shared(stream->time);
    weir_context_release(stream->context);
    weir_spare_keep(&conn->client.loop->front_http2->streams, stream);
}

void front_http2_stream_on_gone(front_http2_stream_t *stream, const weir_fault_t *fault)
{
    if (!weir_list_is_empty(&stream->end_link))
        return; /* it is gone already; or its end is on the way, and may still be delivered */
    if (stream->fault == NULL)
        stream->fault = fault;
    weir_list_append(&stream->conn->gone, &stream->end_link);
}

void front_http2_stream_cut(front_http2_stream_t *stream, uint32_t error_code)
{
    if (stream->reply.is_cut || stream->reply.is_ending)
        return;
    stream->reply.is_cut = true;
    if (!stream->is_closed)
        (void)nghttp2_submit_rst_stream(front_http2_session(stream->conn), NGHTTP2_FLAG_NONE, stream->id, error_code);
    front_http2_stream_on_gone(stream, NULL);
    front_http2_post_turn(stream->conn);
}

/* ---- the request ---- */

static h2o_iovec_t iovec_of(weir_span_t span)
{
    return h2o_iovec_init(span.base, span.len);
}

/* An extended CONNECT brings no key, and the backend needs one (RFC 8441 §5.1). */
static void put_key(front_http2_stream_t *stream)
{
    const weir_span_t name = WEIR_SPAN("sec-websocket-key");
    uint8_t nonce[WEIR_WEBSOCKET_NONCE_BYTES];

    weir_loop_random(stream->conn->client.loop, nonce, sizeof(nonce));
    weir_websocket_make_key(nonce, stream->key);
    weir_headers_put(&stream->head.headers, &stream->arena, name, (weir_span_t){stream->key, sizeof(stream->key)});
}

/* The bytes behind `*at`, with a NUL: libh2o reads one byte beyond a port. */
static void move(weir_span_t *span, char **at)
{
    char *copy = *at;

    if (span->base == NULL)
        return;
    *at = weir_append(copy, *span);
    *(*at)++ = '\0';
    span->base = copy;
}

static size_t text_bytes(const weir_http2_head_t *head)
{
    size_t bytes = head->method.len + head->scheme.len + head->path.len + head->authority.len + head->protocol.len + 5;

    for (size_t i = 0; i < head->headers.count; i++)
        bytes += head->headers.at[i].name.len + head->headers.at[i].value.len + 2;
    return bytes;
}

/*
 * Puts all that the request came with into one piece of memory, as large as that: the list of its fields, room for libh2o's,
 * the text. Returns libh2o's room.
 */
static char *keep(front_http2_stream_t *stream)
{
    weir_http2_head_t *head = &stream->head;
    weir_headers_t *fields = &head->headers;
    const size_t list_bytes = fields->count * sizeof(weir_header_t), room_bytes = weir_front_fill_bytes(fields);

    stream->memory = weir_counted_alloc(list_bytes + room_bytes + text_bytes(head));
    char *room = (char *)stream->memory + list_bytes, *at = room + room_bytes;
    memcpy(stream->memory, fields->at, list_bytes);
    *fields = (weir_headers_t){stream->memory, fields->count, fields->count};
    move(&head->method, &at);
    move(&head->scheme, &at);
    move(&head->path, &at);
    move(&head->authority, &at);
    move(&head->protocol, &at);
    for (size_t i = 0; i < fields->count; i++) {
        move(&fields->at[i].name, &at);
        move(&fields->at[i].value, &at);
    }
    weir_arena_finish(&stream->arena);
    return room;
}

static void fill(front_http2_stream_t *stream)
{
    h2o_req_t *req = &stream->req;
    char *room = keep(stream);
    const weir_http2_head_t *head = &stream->head;

    /* Like HTTP/1: not the client's word, but what the connection is */
    req->input.scheme = stream->conn->client.peer.is_https ? &H2O_URL_SCHEME_HTTPS : &H2O_URL_SCHEME_HTTP;
    req->input.method = iovec_of(head->method);
    req->input.path = iovec_of(head->path);
    req->input.authority = weir_front_authority(stream->context, head->authority);
    req->version = 0x200;
    req->http1_is_persistent = 1;
    req->timestamps.request_begin_at = weir_front_instant(req);
    weir_front_fill_headers(req, &head->headers, room);
}

/* The path's own where a path is known. */
static uint32_t requests_most(const front_http2_stream_t *stream)
{
    const weir_front_t *front = stream->front;

    return front != NULL && front->x != NULL ? front->x->plan->max_requests_per_connection
                                             : stream->conn->client.loop->settings->max_requests_per_connection;
}

/* Behind the answer the connection ends; whatever else is asked meanwhile gets the same. */
static void refuse_connection(front_http2_stream_t *stream)
{
    const weir_http2_head_t *head = &stream->head;
    weir_refused_t request = {head->method, head->path, head->authority};
    int32_t port;

    (void)weir_host_split(head->authority, &request.host, &port);
    front_http2_refuse(stream, &weir_fault_conn_limit_reached, &request);
    front_http2_drain(stream->conn);
}

void front_http2_stream_begin(front_http2_stream_t *stream, bool has_body)
{
    front_http2_conn_t *conn = stream->conn;
    const weir_head_limits_t *limits = &conn->client.loop->settings->head_limits;
    weir_http2_head_t *head = &stream->head;
    const weir_fault_t *fault = weir_http2_head_finish(head, &stream->arena, limits, has_body, &stream->body.framing);

    stream->body.has_end = stream->body.is_done = !has_body;
    conn->requests++;
    if (fault != NULL) {
        front_http2_refuse(stream, fault, NULL);
        return;
    }
    if (conn->client.peer.is_over_limit) {
        refuse_connection(stream);
        return;
    }
    if (head->protocol.base != NULL)
        put_key(stream);
    fill(stream);
    stream->is_begun = true;
    weir_handler_process(conn->client.loop, &stream->req);
    stream->time = weir_front_trim_pool(&stream->req);
    uint32_t most = requests_most(stream);
    if (most != 0 && conn->requests >= most)
        front_http2_drain(conn);
}
