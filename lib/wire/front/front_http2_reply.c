/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 with clients: the response, as the last of libh2o's output streams, and the pages of heads of which no request comes.
 */
#include "lib/wire/front/front_http2.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/status.h"

enum {
    OWN_FIELDS = 4,      /* :status, server, date, content-length */
    REFUSAL_FIELDS = 6,  /* :status, content-length, content-type, proxy-status, x-weir-code, retry-after */
    WRITE_BYTES = 16384, /* from here on the turn is not waited for */
    STATUS_SWITCHING = 101,
};

/* ---- the head ---- */

static nghttp2_nv field_of(const char *name, size_t name_len, const char *value, size_t value_len, uint8_t flags)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, name_len, value_len, flags};
}

#define OWN_FIELD(name, value, value_len) field_of(name, sizeof(name) - 1, value, value_len, NGHTTP2_NV_FLAG_NO_COPY_NAME)

static nghttp2_nv *room_for(struct front_http2_shared *shared, size_t count)
{
    if (shared->field_capacity < count) {
        shared->field_capacity = 2 * count;
        free(shared->fields);
        shared->fields = malloc(shared->field_capacity * sizeof(nghttp2_nv));
        WEIR_MUST(shared->fields != NULL);
    }
    return shared->fields;
}

/* RFC 9113 §8.2.2: what is for one connection only. Content-Length is written anew. */
static bool is_left_out(const h2o_header_t *field, bool is_tunnel)
{
    const h2o_iovec_t *name = field->name;

    if (h2o_iovec_is_token(name))
        return name == &H2O_TOKEN_CONNECTION->buf || name == &H2O_TOKEN_TRANSFER_ENCODING->buf ||
               name == &H2O_TOKEN_UPGRADE->buf || name == &H2O_TOKEN_CONTENT_LENGTH->buf;
    return h2o_memis(name->base, name->len, H2O_STRLIT("keep-alive")) ||
           h2o_memis(name->base, name->len, H2O_STRLIT("proxy-connection")) ||
           (is_tunnel && h2o_memis(name->base, name->len, H2O_STRLIT("sec-websocket-accept")));
}

static void put_status(char digits[static 3], unsigned status)
{
    digits[0] = (char)('0' + status / 100 % 10);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
}

typedef struct head_facts {
    bool has_server, has_date;
} head_facts_t;

static size_t put_fields(nghttp2_nv *to, const h2o_res_t *res, bool is_tunnel, head_facts_t *facts)
{
    size_t count = 0;

    *facts = (head_facts_t){false, false};
    for (size_t i = 0; i < res->headers.size; i++) {
        const h2o_header_t *field = &res->headers.entries[i];
        if (is_left_out(field, is_tunnel))
            continue;
        facts->has_server = facts->has_server || field->name == &H2O_TOKEN_SERVER->buf;
        facts->has_date = facts->has_date || field->name == &H2O_TOKEN_DATE->buf;
        /* Values are copied: the frame may still wait when the request is gone */
        uint8_t flags = h2o_iovec_is_token(field->name) ? NGHTTP2_NV_FLAG_NO_COPY_NAME : NGHTTP2_NV_FLAG_NONE;
        to[count++] = field_of(field->name->base, field->name->len, field->value.base, field->value.len, flags);
    }
    return count;
}

/* Vegur's order: Server and Date if the backend sent none, then the rest. A switch of protocols is a 200 here (RFC 8441 §5). */
static size_t build_head(front_http2_stream_t *stream, nghttp2_nv **out_fields, char digits[static 23])
{
    h2o_req_t *req = &stream->req;
    h2o_res_t *res = &req->res;
    head_facts_t facts;
    nghttp2_nv *at = room_for(stream->conn->client.loop->front_http2, res->headers.size + OWN_FIELDS);
    size_t rest = put_fields(at + OWN_FIELDS, res, stream->is_tunnel, &facts), own = OWN_FIELDS;
    const h2o_iovec_t server = req->conn->ctx->globalconf->server_name;
    bool has_length = res->content_length != SIZE_MAX && res->status != 204 && !stream->is_tunnel;
    int status = stream->is_tunnel && res->status == STATUS_SWITCHING ? 200 : res->status;

    if (has_length) {
        weir_span_t text = weir_span_of_u64(res->content_length, digits);
        at[--own] = OWN_FIELD("content-length", text.base, text.len);
    }
    if (!facts.has_date && !stream->is_tunnel)
        at[--own] = OWN_FIELD("date", req->processed_at.str->rfc1123, H2O_TIMESTR_RFC1123_LEN);
    if (!facts.has_server && server.len > 0 && !stream->is_tunnel)
        at[--own] = OWN_FIELD("server", server.base, server.len);
    put_status(digits + 20, (unsigned)status);
    at[--own] = OWN_FIELD(":status", digits + 20, 3);
    *out_fields = at + own;
    return OWN_FIELDS - own + rest;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t most, uint32_t *flags,
                       nghttp2_data_source *source, void *user)
{
    front_http2_stream_t *stream = nghttp2_session_get_stream_user_data(session, id);

    return stream != NULL ? front_http2_offer_data(stream, most, flags) : NGHTTP2_ERR_DEFERRED;
}

static void submit_head(front_http2_stream_t *stream, const nghttp2_nv *fields, size_t count, bool has_body)
{
    const nghttp2_data_provider provider = {.read_callback = on_read};
    int error =
        nghttp2_submit_response(front_http2_session(stream->conn), stream->id, fields, count, has_body ? &provider : NULL);

    WEIR_MUST(error == 0 || error == NGHTTP2_ERR_INVALID_ARGUMENT || error == NGHTTP2_ERR_DATA_EXIST);
    stream->reply.is_head_sent = true;
    if (error != 0)
        front_http2_stream_cut(stream, NGHTTP2_INTERNAL_ERROR);
}

/* How the body goes out; `is_all` when there will be none. */
static void send_head(front_http2_stream_t *stream, bool is_all)
{
    const h2o_req_t *req = &stream->req;
    nghttp2_nv *fields;
    char digits[23];
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    bool has_trailers = stream->front != NULL && stream->front->trailers.count > 0;

    stream->req.timestamps.response_start_at = weir_front_instant(&stream->req);
    stream->reply.is_silent = !stream->is_tunnel && (is_head || !weir_status_has_body((uint16_t)req->res.status));
    bool has_length = req->res.content_length != SIZE_MAX && !stream->is_tunnel;
    stream->reply.left_bytes = has_length ? req->res.content_length : UINT64_MAX;
    size_t count = build_head(stream, &fields, digits);
    submit_head(stream, fields, count, !stream->reply.is_silent && (!is_all || has_trailers));
}

static nghttp2_nv nv_of(const weir_header_t *field)
{
    return field_of(field->name.base, field->name.len, field->value.base, field->value.len, NGHTTP2_NV_FLAG_NONE);
}

size_t front_http2_interim(h2o_req_t *req, uint16_t status, const weir_headers_t *headers)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);
    size_t given = headers != NULL ? headers->count : 0, count = 0, bytes = 0;
    char digits[3];

    if (stream->is_closed || stream->reply.is_cut)
        return 0;
    nghttp2_nv *fields = room_for(stream->conn->client.loop->front_http2, given + 1);
    put_status(digits, status);
    fields[count++] = OWN_FIELD(":status", digits, 3);
    for (size_t i = 0; i < given; i++) {
        bytes += headers->at[i].name.len + headers->at[i].value.len;
        fields[count++] = nv_of(&headers->at[i]);
    }
    if (nghttp2_submit_headers(front_http2_session(stream->conn), NGHTTP2_FLAG_NONE, stream->id, NULL, fields, count, NULL) ==
        0)
        stream->reply.interims++;
    if (weir_list_is_empty(&stream->wait_link))
        weir_list_append(&stream->conn->waiting, &stream->wait_link);
    front_http2_post_turn(stream->conn);
    return bytes + 1;
}

/* ---- the body, as libnghttp2 asks for it ---- */

static bool submit_trailers(front_http2_stream_t *stream)
{
    const weir_front_t *front = stream->front;

    if (front == NULL || front->x == NULL || front->trailers.count == 0)
        return false;
    size_t count = front->trailers.count;
    nghttp2_nv *fields = room_for(stream->conn->client.loop->front_http2, count);
    for (size_t i = 0; i < count; i++)
        fields[i] = nv_of(&front->trailers.at[i]);
    return nghttp2_submit_trailer(front_http2_session(stream->conn), stream->id, fields, count) == 0;
}

ssize_t front_http2_offer_data(front_http2_stream_t *stream, size_t most, uint32_t *flags)
{
    size_t available = weir_bytes_count(&stream->reply.held) + stream->reply.lent_bytes;
    bool is_all = stream->reply.is_final || stream->reply.is_half_closed;

    if (stream->reply.is_cut || (available == 0 && !is_all)) {
        stream->reply.is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t count = available < most ? available : most;
    if (count > 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (is_all && count == available) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (submit_trailers(stream))
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
    return (ssize_t)count;
}

/* Copies `count` bytes out of what is held and, behind it, lent. */
static void take(front_http2_stream_t *stream, char *to, size_t count)
{
    weir_span_t held = weir_bytes_span(&stream->reply.held);
    size_t first = held.len < count ? held.len : count;

    if (first > 0 && held.base != NULL) {
        memcpy(to, held.base, first);
        weir_bytes_consume(&stream->reply.held, first);
    }
    for (size_t done = first; done < count;) {
        const h2o_iovec_t *piece = stream->reply.lent;
        size_t left = piece->len - stream->reply.lent_at, part = left < count - done ? left : count - done;
        memcpy(to + done, piece->base + stream->reply.lent_at, part);
        done += part;
        stream->reply.lent_at += part;
        stream->reply.lent_bytes -= part;
        if (part < left)
            break;
        stream->reply.lent++;
        stream->reply.lent_count--;
        stream->reply.lent_at = 0;
    }
}

static void on_reply_timer(weir_timer_t *timer)
{
    front_http2_stream_t *stream = WEIR_AROUND(timer, front_http2_stream_t, reply_timer);
    front_http2_conn_t *conn = stream->conn;

    if (conn->data_sent_at_us <= stream->reply.stalled_at_us) { /* not of this stream only: it takes nothing at all */
        front_http2_end(conn, &weir_fault_client_stalled, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    stream->fault = &weir_fault_client_stalled;
    front_http2_stream_cut(stream, NGHTTP2_CANCEL);
}

/* The client's windows have no room: it has idle_timeout_ms for each bit of progress. */
static void set_reply_timer(front_http2_stream_t *stream)
{
    weir_loop_t *loop = stream->conn->client.loop;
    bool has_end_to_say = stream->reply.is_final && !stream->reply.is_end_sent && !stream->reply.is_silent;

    if (weir_bytes_count(&stream->reply.held) == 0 && !has_end_to_say) {
        weir_timer_cancel(&stream->reply_timer);
        return;
    }
    stream->reply.stalled_at_us = weir_loop_now_us(loop);
    weir_timer_set(loop, &stream->reply_timer, front_http2_idle_ms(stream), on_reply_timer);
}

int front_http2_put_data(front_http2_stream_t *stream, const uint8_t *head, size_t count)
{
    front_http2_conn_t *conn = stream->conn;

    if (weir_bytes_count(&conn->out) >= FRONT_HTTP2_OUT_BYTES)
        return NGHTTP2_ERR_WOULDBLOCK;
    char *at = weir_bytes_reserve(&conn->out, FRONT_HTTP2_FRAME_HEAD_BYTES + count);
    memcpy(at, head, FRONT_HTTP2_FRAME_HEAD_BYTES);
    take(stream, at + FRONT_HTTP2_FRAME_HEAD_BYTES, count);
    weir_bytes_grow(&conn->out, FRONT_HTTP2_FRAME_HEAD_BYTES + count);
    conn->out_end += FRONT_HTTP2_FRAME_HEAD_BYTES + count;
    conn->data_sent_at_us = weir_loop_now_us(conn->client.loop);
    front_http2_guard_earn(conn, count);
    if (weir_timer_is_set(&stream->reply_timer))
        set_reply_timer(stream);
    return 0;
}

/* ---- its end ---- */

/* All was said and made into frames. What the client still sends of its request is not wanted. */
static void begin_ending(front_http2_stream_t *stream)
{
    front_http2_conn_t *conn = stream->conn;

    if (stream->reply.is_ending || !weir_list_is_empty(&stream->end_link))
        return;
    stream->reply.is_ending = true;
    conn->ending_count++;
    weir_list_append(&conn->ending, &stream->end_link);
    if (!stream->body.has_end && !stream->is_closed)
        front_http2_leave_unread(conn, stream->id);
    front_http2_post_turn(conn);
}

void front_http2_on_end_sent(front_http2_stream_t *stream)
{
    stream->reply.is_end_sent = true;
    if (weir_timer_is_set(&stream->reply_timer))
        set_reply_timer(stream);
    if (stream->reply.is_final)
        begin_ending(stream);
}

void front_http2_half_close(front_http2_stream_t *stream)
{
    stream->reply.is_half_closed = true;
    if (stream->reply.is_deferred && !stream->is_closed) {
        stream->reply.is_deferred = false;
        (void)nghttp2_session_resume_data(front_http2_session(stream->conn), stream->id);
    }
    front_http2_post_turn(stream->conn);
}

/* ---- libh2o's side ---- */

bool front_http2_may_send(const front_http2_stream_t *stream)
{
    const front_http2_conn_t *conn = stream->conn;

    return !stream->is_closed && !stream->reply.is_cut && conn->state == FRONT_HTTP2_OPEN && !conn->must_close &&
           weir_bytes_count(&stream->reply.held) == 0 && stream->reply.interims == 0 &&
           weir_bytes_count(&conn->out) < FRONT_HTTP2_OUT_BYTES;
}

/* What libnghttp2 had no room for is kept. */
static void keep_rest(front_http2_stream_t *stream)
{
    size_t count = stream->reply.lent_bytes;

    if (count > 0) {
        size_t before = weir_bytes_count(&stream->reply.held);
        char *room = weir_bytes_reserve(&stream->reply.held, count);
        for (size_t i = 0; i < stream->reply.lent_count; i++) {
            size_t skipped = i == 0 ? stream->reply.lent_at : 0;
            const h2o_iovec_t *piece = &stream->reply.lent[i];
            memcpy(room, piece->base + skipped, piece->len - skipped);
            room += piece->len - skipped;
        }
        weir_bytes_grow(&stream->reply.held, count);
        if (before == 0)
            set_reply_timer(stream);
    }
    stream->reply.lent = NULL;
    stream->reply.lent_count = stream->reply.lent_at = stream->reply.lent_bytes = 0;
}

/* Whether the body is as long as was announced, as far as it has come. */
static bool account(front_http2_stream_t *stream, size_t bytes, bool is_last)
{
    if (stream->reply.is_silent)
        return true;
    if (!stream->req.bytes_counted_by_ostream)
        stream->req.bytes_sent += bytes;
    if (stream->reply.left_bytes == UINT64_MAX)
        return true;
    if (bytes > stream->reply.left_bytes)
        return false;
    stream->reply.left_bytes -= bytes;
    return !is_last || stream->reply.left_bytes == 0;
}

static void send_pieces(front_http2_stream_t *stream, const h2o_iovec_t *pieces, size_t count, size_t bytes, bool is_last)
{
    front_http2_conn_t *conn = stream->conn;

    if (!stream->reply.is_silent) {
        stream->reply.lent = pieces;
        stream->reply.lent_count = count;
        stream->reply.lent_bytes = bytes;
    }
    stream->reply.is_final = is_last;
    if (stream->reply.is_deferred && (bytes > 0 || is_last) && !stream->is_closed) {
        stream->reply.is_deferred = false;
        (void)nghttp2_session_resume_data(front_http2_session(conn), stream->id);
    }
    if (is_last && stream->reply.is_end_sent) { /* a tunnel's direction that ended before, or a head that was all */
        begin_ending(stream);
        stream->reply.end_at = conn->out_end;
    }
    front_http2_make_frames(conn);
    keep_rest(stream);
    if (is_last && !weir_timer_is_set(&stream->reply_timer))
        set_reply_timer(stream); /* even an end wants a window, if it comes by itself */
}

static bool is_over(const front_http2_stream_t *stream)
{
    return (stream->is_closed && !stream->reply.is_end_sent) || stream->reply.is_cut || stream->conn->state != FRONT_HTTP2_OPEN;
}

void front_http2_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state)
{
    front_http2_stream_t *stream = front_http2_stream_of(req);
    front_http2_conn_t *conn = stream->conn;
    bool is_last = state == H2O_SEND_STATE_FINAL;
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += pieces[i].len;
    if (is_over(stream))
        return; /* disposed of in the turn */
    if (state == H2O_SEND_STATE_ERROR) {
        front_http2_stream_cut(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    if (!stream->reply.is_head_sent)
        send_head(stream, is_last && bytes == 0);
    if (!account(stream, bytes, is_last)) {
        front_http2_stream_cut(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    send_pieces(stream, pieces, count, bytes, is_last);
    if (weir_bytes_count(&conn->out) >= WRITE_BYTES && !conn->is_receiving)
        front_http2_write(conn);
    if (!is_last) {
        stream->reply.must_proceed = stream->front == NULL || !stream->front->is_direct;
        bool waits = weir_list_is_empty(&stream->wait_link) && (stream->reply.must_proceed || !front_http2_may_send(stream));
        if (waits)
            weir_list_append(&conn->waiting, &stream->wait_link);
    }
    front_http2_post_turn(conn);
}

/* ---- heads of which no request comes, and connections that are too many ---- */

void front_http2_refuse(front_http2_stream_t *stream, const weir_fault_t *fault, const weir_refused_t *request)
{
    front_http2_conn_t *conn = stream->conn;
    char page[WEIR_REFUSAL_BYTES], proxy_status[WEIR_REFUSAL_STATUS_BYTES], status[3], length[20], retry[20];
    size_t bytes = weir_refusal_page(fault, page), count = 0;
    const size_t status_bytes = weir_refusal_proxy_status(&conn->client, fault, proxy_status);
    const unsigned retry_s = weir_refusal_retry_after_s(&conn->client, fault);
    const char *heroku = weir_refusal_heroku(&conn->client, fault);
    nghttp2_nv fields[REFUSAL_FIELDS];
    weir_span_t digits = weir_span_of_u64(bytes, length);
    bool is_head = weir_span_equal(stream->head.method, WEIR_SPAN("HEAD"));

    put_status(status, fault->status);
    fields[count++] = OWN_FIELD(":status", status, 3);
    fields[count++] = OWN_FIELD("content-type", "text/plain; charset=utf-8", 25);
    fields[count++] = OWN_FIELD("content-length", digits.base, digits.len);
    if (status_bytes > 0)
        fields[count++] = OWN_FIELD("proxy-status", proxy_status, status_bytes);
    if (heroku != NULL)
        fields[count++] = OWN_FIELD("x-weir-code", heroku, strlen(heroku));
    if (retry_s > 0) {
        digits = weir_span_of_u64(retry_s, retry);
        fields[count++] = OWN_FIELD("retry-after", digits.base, digits.len);
    }
    if (!is_head)
        weir_bytes_append(&stream->reply.held, (weir_span_t){page, bytes});
    stream->reply.is_final = true;
    weir_refusal_log(&conn->client, fault, fault->status, is_head ? 0 : bytes, request);
    submit_head(stream, fields, count, !is_head);
    set_reply_timer(stream);
    front_http2_post_turn(conn);
}
