/* SPDX-License-Identifier: MIT */
/* HTTP/1 with clients: a head becomes a request of libh2o's. */
#include "lib/wire/front/front_http1.h"

#include <string.h>

#include "lib/base/counted.h"

/* Makes spans that point into the bytes read point into their copy. */
static void rebase(weir_span_t *span, ptrdiff_t by)
{
    if (span->base != NULL)
        span->base += by;
}

static h2o_iovec_t iovec_of(weir_span_t span)
{
    return h2o_iovec_init(span.base, span.len);
}

static front_http1_stream_t *create_stream(front_http1_conn_t *conn, weir_context_t *context)
{
    front_http1_stream_t *stream = weir_spare_take(&conn->client.loop->front_http1_streams, sizeof(*stream));

    memset((char *)stream + sizeof(stream->req), 0, sizeof(*stream) - sizeof(stream->req));
    h2o_init_request(&stream->req, &conn->client.super, NULL);
    stream->final.do_send = front_http1_send;
    stream->final.stop = weir_front_takes_at_once;
    stream->req._ostr_top = &stream->final;
    stream->conn = conn;
    stream->context = context;
    weir_arena_init(&stream->body.trailers);
    return stream;
}

/* What an absolute target leaves unsaid (RFC 9112 §3.2.2 and §3.2.4). */
static h2o_iovec_t path_of(h2o_req_t *req, const weir_request_head_t *head)
{
    switch (head->path_lacks) {
    case WEIR_PATH_LACKS_SLASH:
        return h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT("/")), iovec_of(head->path));
    case WEIR_PATH_LACKS_ASTERISK:
        return h2o_iovec_init(H2O_STRLIT("*"));
    case WEIR_PATH_LACKS_NOTHING:
        break;
    }
    return iovec_of(head->path);
}

/*
 * Puts all that the request came with into one piece of memory: the list of its fields, room for libh2o's, the text. `head`
 * points there afterwards. Returns libh2o's room.
 */
static char *keep(front_http1_stream_t *stream, weir_request_head_t *head, weir_span_t bytes)
{
    const weir_headers_t *fields = &head->headers;
    const size_t list_bytes = fields->count * sizeof(weir_header_t), room_bytes = weir_front_fill_bytes(fields);

    stream->memory = weir_counted_alloc(list_bytes + room_bytes + bytes.len);
    stream->headers = (weir_headers_t){stream->memory, fields->count, fields->count};
    char *room = (char *)stream->memory + list_bytes, *text = room + room_bytes;
    const ptrdiff_t by = text - bytes.base;
    memcpy(text, bytes.base, bytes.len);
    rebase(&head->method, by);
    rebase(&head->path, by);
    rebase(&head->authority, by);
    for (size_t i = 0; i < fields->count; i++) {
        stream->headers.at[i] = fields->at[i];
        rebase(&stream->headers.at[i].name, by);
        rebase(&stream->headers.at[i].value, by);
    }
    return room;
}

void front_http1_begin_request(front_http1_conn_t *conn, weir_context_t *context, weir_request_head_t *head, weir_span_t bytes)
{
    front_http1_stream_t *stream = conn->stream = create_stream(conn, context);
    h2o_req_t *req = &stream->req;
    char *room = keep(stream, head, bytes);

    req->input.scheme = conn->client.peer.is_https ? &H2O_URL_SCHEME_HTTPS : &H2O_URL_SCHEME_HTTP;
    req->input.method = iovec_of(head->method);
    req->input.path = path_of(req, head);
    req->input.authority = weir_front_authority(context, head->authority);
    req->version = 0x100 | head->minor;
    req->http1_is_persistent = stream->is_persistent = head->is_persistent;
    req->timestamps.request_begin_at = weir_front_instant(req);
    weir_front_fill_headers(req, &stream->headers, room);
    stream->head_bytes = bytes.len;
    stream->body.decoder.trailer_limit_bytes = context->settings->max_trailer_bytes;
    stream->body.framing = head->framing;
    stream->body.left_bytes = head->framing.length_bytes;
    stream->body.is_done = head->framing.kind == WEIR_FRAMING_NONE;
    conn->state = FRONT_HTTP1_BUSY;
    conn->requests++;
    weir_timer_cancel(&conn->read_timer);
}
