/* SPDX-License-Identifier: MIT */
/* HTTP/1 with clients: the response, as the last of libh2o's output streams, and the pages of heads that cannot be read. */
#include "lib/wire/front/front_http1.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/status.h"

enum {
    PIECES = 64,
    HEAD_EXTRA_BYTES = 512,
    PAGE_BYTES = 1024,   /* of a refusal, with its head */
    JOINED_BYTES = 4096, /* bodies up to here are copied behind their head: one piece costs the kernel less */
};

/* ---- writing ---- */

static void break_off(front_http1_conn_t *conn)
{
    conn->must_cut = true;
    front_http1_post_turn(conn);
}

typedef ssize_t writer_t(weir_sock_t *sock, const struct iovec *pieces, int count);

static void write_with(writer_t *writer, front_http1_conn_t *conn, struct iovec *pieces, int count)
{
    if (conn->must_cut)
        return;
    ssize_t written = 0;
    if (weir_bytes_count(&conn->out) == 0)
        written = writer(&conn->client.sock, pieces, count);
    if (written == WEIR_SOCK_BROKEN) {
        break_off(conn);
        return;
    }
    weir_bytes_append_rest(&conn->out, pieces, count, written > 0 ? (size_t)written : 0);
    if (weir_bytes_count(&conn->out) > 0)
        front_http1_await_writable(conn);
}

void front_http1_write(front_http1_conn_t *conn, struct iovec *pieces, int count)
{
    write_with(weir_sock_write, conn, pieces, count);
}

bool front_http1_flush(front_http1_conn_t *conn)
{
    if (conn->must_cut)
        return false;
    ssize_t left = weir_sock_write_queue(&conn->client.sock, &conn->out, NULL);
    if (left == WEIR_SOCK_BROKEN)
        break_off(conn);
    return left == 0;
}

/* ---- the head ---- */

static char *put(char *at, const char *text, size_t len)
{
    return weir_append(at, (weir_span_t){text, len});
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, uint64_t number)
{
    char digits[20];
    weir_span_t text = weir_span_of_u64(number, digits);

    return put(at, text.base, text.len);
}

/* Which of the fields that we supply the response already has, and whether libh2o's chunked filter frames it. */
typedef struct head_facts {
    bool has_server, has_date, has_upgrade, is_chunked_by_filter;
    size_t bytes;
} head_facts_t;

static head_facts_t look(const h2o_res_t *res)
{
    head_facts_t facts = {.bytes = HEAD_EXTRA_BYTES + strlen(res->reason)};

    for (size_t i = 0; i < res->headers.size; i++) {
        const h2o_header_t *field = &res->headers.entries[i];
        facts.bytes += field->name->len + field->value.len + 4;
        if (field->name == &H2O_TOKEN_SERVER->buf)
            facts.has_server = true;
        else if (field->name == &H2O_TOKEN_DATE->buf)
            facts.has_date = true;
        else if (field->name == &H2O_TOKEN_UPGRADE->buf)
            facts.has_upgrade = true;
        else if (field->name == &H2O_TOKEN_TRANSFER_ENCODING->buf && field->value.base != weir_front_framing_mark)
            facts.is_chunked_by_filter = true;
    }
    return facts;
}

/* How the body goes out (RFC 9112 §6.3), and whether the connection can live on. */
static void choose_encoding(front_http1_stream_t *stream, const head_facts_t *facts)
{
    const h2o_req_t *req = &stream->req;
    bool is_head = h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    bool keeps_alive = req->http1_is_persistent;

    stream->reply.left_bytes = 0;
    if (stream->body.is_tunnel) {
        stream->reply.encoding = FRONT_HTTP1_PLAIN;
        keeps_alive = false;
    } else if (is_head || !weir_status_has_body((uint16_t)req->res.status)) {
        stream->reply.encoding = FRONT_HTTP1_SILENT;
    } else if (req->res.content_length != SIZE_MAX) {
        stream->reply.encoding = FRONT_HTTP1_LENGTH;
        stream->reply.left_bytes = req->res.content_length;
    } else if (facts->is_chunked_by_filter) {
        stream->reply.encoding = FRONT_HTTP1_PLAIN;
    } else if (req->version == 0x101) {
        stream->reply.encoding = FRONT_HTTP1_CHUNKED;
        /* libh2o's chunked filter gives the connection up for statuses other than 200; we need not */
        if (req->res.status != 200)
            keeps_alive = stream->is_persistent && (stream->front == NULL || !stream->front->must_close);
    } else {
        stream->reply.encoding = FRONT_HTTP1_PLAIN;
        keeps_alive = false;
    }
    stream->reply.keeps_alive = keeps_alive;
}

static bool may_keep_alive(front_http1_conn_t *conn)
{
    const weir_front_t *front = conn->stream->front;
    uint32_t most = conn->client.loop->settings->max_requests_per_connection;

    if (front != NULL && front->x != NULL)
        most = front->x->plan->max_requests_per_connection;                            /* the path's own */
    bool is_wanted = conn->stream->body.sink != NULL && !conn->stream->reply.is_final; /* both directions at once */
    if (!conn->stream->body.is_done && !is_wanted)
        front_http1_discard_body(conn); /* what has arrived whole need not end the connection */
    return conn->stream->reply.keeps_alive && conn->stream->body.is_done && conn->stream->body.fault == NULL &&
           !weir_client_is_ending(&conn->client) && (most == 0 || conn->requests < most);
}

static char *put_fields(char *at, const h2o_res_t *res, bool is_tunnel)
{
    for (size_t i = 0; i < res->headers.size; i++) {
        const h2o_header_t *field = &res->headers.entries[i];
        if (field->name == &H2O_TOKEN_TRANSFER_ENCODING->buf || field->name == &H2O_TOKEN_CONTENT_LENGTH->buf ||
            (field->name == &H2O_TOKEN_CONNECTION->buf && !is_tunnel))
            continue;
        at = put(at, field->orig_name != NULL ? field->orig_name : field->name->base, field->name->len);
        at = PUT(at, ": ");
        at = put(at, field->value.base, field->value.len);
        at = PUT(at, "\r\n");
    }
    return at;
}

static char *put_framing(char *at, const front_http1_stream_t *stream, const head_facts_t *facts)
{
    const h2o_res_t *res = &stream->req.res;

    at = stream->reply.keeps_alive ? PUT(at, "Connection: keep-alive") : PUT(at, "Connection: close");
    at = facts->has_upgrade ? PUT(at, ", Upgrade\r\n") : PUT(at, "\r\n"); /* RFC 9110 §7.8 */
    if (stream->reply.encoding == FRONT_HTTP1_CHUNKED || facts->is_chunked_by_filter)
        return PUT(at, "Transfer-Encoding: chunked\r\n");
    if (res->content_length == SIZE_MAX || res->status == 204 || res->status < 200)
        return at;
    at = PUT(at, "Content-Length: ");
    at = put_number(at, res->content_length);
    return PUT(at, "\r\n");
}

/* Writes the head into the loop's buffer. Vegur's order: Server and Date if the backend sent none, Connection, the rest. */
static struct iovec build_head(front_http1_stream_t *stream)
{
    h2o_req_t *req = &stream->req;
    weir_loop_t *loop = stream->conn->client.loop;
    head_facts_t facts = look(&req->res);

    req->timestamps.response_start_at = weir_front_instant(req);
    choose_encoding(stream, &facts);
    stream->reply.keeps_alive = may_keep_alive(stream->conn);
    const h2o_iovec_t server = req->conn->ctx->globalconf->server_name;
    if (loop->head_capacity < facts.bytes + server.len) {
        loop->head_capacity = 2 * (facts.bytes + server.len);
        loop->head = realloc(loop->head, loop->head_capacity);
        WEIR_MUST(loop->head != NULL);
    }
    char *at = PUT(loop->head, "HTTP/1.1 ");
    at = put_number(at, (uint64_t)req->res.status);
    *at++ = ' ';
    at = put(at, req->res.reason, strlen(req->res.reason));
    at = PUT(at, "\r\n");
    bool is_tunnel = stream->body.is_tunnel;
    if (!is_tunnel && !facts.has_server && server.len > 0) {
        at = PUT(at, "Server: ");
        at = put(at, server.base, server.len);
        at = PUT(at, "\r\n");
    }
    if (!is_tunnel && !facts.has_date) {
        at = PUT(at, "Date: ");
        at = put(at, req->processed_at.str->rfc1123, H2O_TIMESTR_RFC1123_LEN);
        at = PUT(at, "\r\n");
    }
    if (!is_tunnel)
        at = put_framing(at, stream, &facts);
    at = put_fields(at, &req->res, is_tunnel);
    at = PUT(at, "\r\n");
    return (struct iovec){loop->head, (size_t)(at - loop->head)};
}

size_t front_http1_interim(h2o_req_t *req, uint16_t status, const weir_headers_t *headers)
{
    front_http1_conn_t *conn = front_http1_stream_of(req)->conn;
    weir_arena_t arena;
    size_t size = 64;

    for (size_t i = 0; headers != NULL && i < headers->count; i++)
        size += headers->at[i].name.len + headers->at[i].value.len + 4;
    weir_arena_init(&arena);
    char *text = weir_arena_alloc(&arena, size), *at = text;
    at += snprintf(at, 64, "HTTP/1.1 %u %s\r\n", status, weir_status_reason(status));
    for (size_t i = 0; headers != NULL && i < headers->count; i++) {
        at = weir_append(at, headers->at[i].name);
        at = PUT(at, ": ");
        at = weir_append(at, headers->at[i].value);
        at = PUT(at, "\r\n");
    }
    at = PUT(at, "\r\n");
    struct iovec piece = {text, (size_t)(at - text)};
    front_http1_write(conn, &piece, 1);
    weir_arena_finish(&arena);
    return weir_bytes_count(&conn->out) < piece.iov_len ? weir_bytes_count(&conn->out) : piece.iov_len;
}

/* ---- the body ---- */

typedef struct outgoing {
    struct iovec pieces[PIECES + 4];
    int count;
    char size_line[18];
} outgoing_t;

static void add(outgoing_t *out, const char *base, size_t len)
{
    out->pieces[out->count++] = (struct iovec){(void *)(uintptr_t)base, len};
}

static void add_last_chunk(front_http1_stream_t *stream, outgoing_t *out)
{
    weir_span_t last = WEIR_SPAN("0\r\n\r\n");

    if (stream->front != NULL && stream->front->x != NULL)
        last = weir_chunk_last(&stream->front->x->arena, &stream->front->trailers);
    add(out, last.base, last.len);
}

/* Adds the payload in the response's encoding. False if it is not as long as was announced: nothing may follow. */
static bool encode(front_http1_stream_t *stream, outgoing_t *out, const h2o_iovec_t *pieces, size_t count, bool is_last)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += pieces[i].len;
    if (stream->reply.encoding == FRONT_HTTP1_SILENT)
        return true;
    if (stream->reply.encoding == FRONT_HTTP1_LENGTH && total > stream->reply.left_bytes)
        return false;
    if (stream->reply.encoding == FRONT_HTTP1_CHUNKED && total > 0)
        add(out, out->size_line, weir_chunk_size_line(total, out->size_line));
    for (size_t i = 0; i < count; i++)
        if (pieces[i].len > 0)
            add(out, pieces[i].base, pieces[i].len);
    if (stream->reply.encoding == FRONT_HTTP1_CHUNKED && total > 0)
        add(out, "\r\n", 2);
    if (stream->reply.encoding == FRONT_HTTP1_CHUNKED && is_last)
        add_last_chunk(stream, out);
    if (stream->reply.encoding == FRONT_HTTP1_LENGTH)
        stream->reply.left_bytes -= total;
    if (!stream->req.bytes_counted_by_ostream)
        stream->req.bytes_sent += total;
    return !is_last || stream->reply.left_bytes == 0;
}

/* Puts small pieces behind the head, which lies in the loop's buffer. */
static void join_small(weir_loop_t *loop, outgoing_t *out)
{
    if (out->count < 2 || out->pieces[0].iov_base != loop->head)
        return;
    size_t total = 0;
    for (int i = 1; i < out->count; i++)
        total += out->pieces[i].iov_len;
    if (total > JOINED_BYTES || out->pieces[0].iov_len + total > loop->head_capacity)
        return;
    for (int i = 1; i < out->count; i++) {
        memcpy(loop->head + out->pieces[0].iov_len, out->pieces[i].iov_base, out->pieces[i].iov_len);
        out->pieces[0].iov_len += out->pieces[i].iov_len;
    }
    out->count = 1;
}

/* Whether the turn that follows the response closes the connection and does not linger. */
static bool will_close(const front_http1_stream_t *stream)
{
    return !stream->reply.keeps_alive && stream->body.is_done && !stream->body.is_tunnel &&
           weir_bytes_count(&stream->conn->in) == 0;
}

static void send_some(front_http1_stream_t *stream, const h2o_iovec_t *pieces, size_t count, bool is_last)
{
    front_http1_conn_t *conn = stream->conn;
    outgoing_t out;

    out.count = 0; /* no more of it is zeroed: on short responses that would be felt */
    stream->reply.is_final = is_last;
    if (!stream->reply.is_head_sent) {
        stream->reply.is_head_sent = true;
        out.pieces[out.count++] = build_head(stream);
    }
    bool is_right = encode(stream, &out, pieces, count, is_last);
    join_small(conn->client.loop, &out);
    if (out.count > 0)
        write_with(is_last && is_right && will_close(stream) ? weir_sock_write_last : weir_sock_write, conn, out.pieces,
                   out.count);
    if (!is_right)
        break_off(conn);
}

void front_http1_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state)
{
    front_http1_stream_t *stream = front_http1_stream_of(req);
    front_http1_conn_t *conn = stream->conn;

    if (state == H2O_SEND_STATE_ERROR) {
        break_off(conn);
        return;
    }
    while (count > PIECES) {
        send_some(stream, pieces, PIECES, false);
        pieces += PIECES;
        count -= PIECES;
    }
    send_some(stream, pieces, count, state == H2O_SEND_STATE_FINAL);
    if (weir_bytes_count(&conn->out) > 0)
        return; /* on_writable goes on */
    if (stream->reply.is_final) {
        front_http1_post_turn(conn);
    } else if (stream->front == NULL || !stream->front->is_direct) {
        stream->reply.must_proceed = true;
        front_http1_post_turn(conn);
    }
}

/* ---- heads that cannot be read, and connections that are too many ---- */

static size_t write_page(const weir_client_t *client, const weir_fault_t *fault, weir_span_t body, bool is_head,
                         char page[static PAGE_BYTES])
{
    char proxy_status[WEIR_REFUSAL_STATUS_BYTES];
    const int status_len = (int)weir_refusal_proxy_status(client, fault, proxy_status);
    const unsigned retry_s = weir_refusal_retry_after_s(client, fault);
    const char *heroku = weir_refusal_heroku(client, fault);
    int len =
        snprintf(page, PAGE_BYTES,
                 "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n",
                 fault->status, weir_status_reason(fault->status), body.len);

    if (status_len > 0)
        len += snprintf(page + len, PAGE_BYTES - (size_t)len, "Proxy-Status: %.*s\r\n", status_len, proxy_status);
    if (heroku != NULL)
        len += snprintf(page + len, PAGE_BYTES - (size_t)len, "X-Weir-Code: %s\r\n", heroku);
    if (retry_s > 0)
        len += snprintf(page + len, PAGE_BYTES - (size_t)len, "Retry-After: %u\r\n", retry_s);
    len += snprintf(page + len, PAGE_BYTES - (size_t)len, "\r\n%.*s", is_head ? 0 : (int)body.len, body.base);
    return (size_t)len;
}

void front_http1_refuse(front_http1_conn_t *conn, const weir_fault_t *fault, const weir_refused_t *request)
{
    char text[WEIR_REFUSAL_BYTES], page[PAGE_BYTES];
    const weir_span_t body = {text, weir_refusal_page(fault, text)};
    const bool is_head = request != NULL && weir_span_equal(request->method, WEIR_SPAN("HEAD"));
    struct iovec piece = {page, write_page(&conn->client, fault, body, is_head, page)};

    conn->state = FRONT_HTTP1_PAGE;
    weir_refusal_log(&conn->client, fault, fault->status, is_head ? 0 : body.len, request);
    front_http1_write(conn, &piece, 1);
    front_http1_update_watch(conn);
    if (weir_bytes_count(&conn->out) == 0)
        front_http1_post_turn(conn);
}
