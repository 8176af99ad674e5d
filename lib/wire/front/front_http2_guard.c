/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 with clients: what a client may not do too often. Each kind of event has a bucket: some at once, and so many a second.
 *
 *   resets    RST_STREAM of the client's (CVE-2023-44487), and those of ours that it provokes (CVE-2025-8671)
 *   frames    that carry nothing, or ask us for work that no request needs: PING, SETTINGS, PRIORITY, unknown types, empty DATA
 *   updates   WINDOW_UPDATE; what we send earns them
 *
 * And what it may not do at all, where libnghttp2 keeps silent: frames of streams that are over, numbers that go down,
 * priorities of the connection and of a stream by itself.
 */
#include "lib/wire/front/front_http2.h"

#include "lib/wire/loop/loop.h"

typedef struct bucket_size {
    int64_t at_once, per_second, most; /* most: with what was earned */
} bucket_size_t;

static const bucket_size_t resets_size = {200, 50, 200};
static const bucket_size_t frames_size = {500, 100, 5000};
static const bucket_size_t updates_size = {1000, 200, 20000};

enum {
    UPDATE_BYTES = 256, /* a client that acknowledges less at a time means no good */
    HEAD_TIMES = 4,     /* beyond that much of a limit nothing is answered any more */
    US = 1000000,
};

static void refill(front_http2_bucket_t *bucket, const bucket_size_t *size, uint64_t now_us)
{
    if (bucket->at_us == 0) {
        *bucket = (front_http2_bucket_t){now_us, size->at_once};
        return;
    }
    int64_t more = (int64_t)((now_us - bucket->at_us) / (uint64_t)(US / size->per_second));
    if (more == 0)
        return;
    bucket->at_us = now_us;
    if (bucket->left < size->at_once)
        bucket->left = bucket->left + more < size->at_once ? bucket->left + more : size->at_once;
}

/* False if there is nothing left to spend. */
static bool spend(front_http2_conn_t *conn, front_http2_bucket_t *bucket, const bucket_size_t *size)
{
    refill(bucket, size, weir_loop_now_us(conn->client.loop));
    return bucket->left-- > 0;
}

static void earn(front_http2_conn_t *conn, front_http2_bucket_t *bucket, const bucket_size_t *size, int64_t count)
{
    refill(bucket, size, weir_loop_now_us(conn->client.loop));
    bucket->left = bucket->left + count < size->most ? bucket->left + count : size->most;
}

static void spend_frame(front_http2_conn_t *conn)
{
    if (!spend(conn, &conn->guard.frames, &frames_size))
        front_http2_end(conn, &weir_fault_http2_too_many_frames, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void spend_reset(front_http2_conn_t *conn)
{
    if (!spend(conn, &conn->guard.resets, &resets_size))
        front_http2_end(conn, &weir_fault_http2_too_many_resets, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void count_frame(front_http2_conn_t *conn, uint8_t type, uint8_t flags, uint32_t length)
{
    switch (type) {
    case NGHTTP2_HEADERS:
        front_http2_guard_earn(conn, UPDATE_BYTES); /* a request is worth a few */
        return;
    case NGHTTP2_DATA:
        if (length == 0 && (flags & NGHTTP2_FLAG_END_STREAM) == 0)
            spend_frame(conn);
        return;
    case NGHTTP2_CONTINUATION:
        if (length == 0)
            spend_frame(conn);
        return;
    case NGHTTP2_RST_STREAM:
        spend_reset(conn);
        return;
    case NGHTTP2_WINDOW_UPDATE:
        if (!spend(conn, &conn->guard.updates, &updates_size))
            front_http2_end(conn, &weir_fault_http2_too_many_frames, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    default:
        spend_frame(conn);
        return;
    }
}

void front_http2_guard_init(front_http2_conn_t *conn)
{
    conn->guard.incoming = (weir_http2_frames_t){.is_client = true, .left_bytes = NGHTTP2_CLIENT_MAGIC_LEN};
}

/*
 * Not yet: libnghttp2 has not heard of a stream that the same read opens, and would drop the reset with what it knows of it.
 */
static void reset(front_http2_conn_t *conn, uint32_t stream, uint32_t error_code)
{
    const size_t at = conn->guard.late_count;

    if (at == FRONT_HTTP2_LATE_MOST) {
        front_http2_end(conn, &weir_fault_http2_too_many_frames, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    conn->guard.late[at].stream = stream;
    conn->guard.late[at].error_code = error_code;
    conn->guard.late_count++;
}

void front_http2_guard_settle(front_http2_conn_t *conn)
{
    for (size_t i = 0; i < conn->guard.late_count; i++)
        (void)nghttp2_submit_rst_stream(front_http2_session(conn), NGHTTP2_FLAG_NONE, (int32_t)conn->guard.late[i].stream,
                                        conn->guard.late[i].error_code);
    conn->guard.late_count = 0;
}

/* What libnghttp2 passes over in silence. */
static void judge(front_http2_conn_t *conn, const weir_http2_frame_t *frame)
{
    switch (weir_http2_frames_judge(&conn->guard.incoming, frame)) {
    case WEIR_HTTP2_FINE:
        return;
    case WEIR_HTTP2_AFTER_RESET:
        reset(conn, frame->stream, NGHTTP2_STREAM_CLOSED);
        return;
    case WEIR_HTTP2_AFTER_END:
        front_http2_end(conn, &weir_fault_http2_protocol_error, NGHTTP2_STREAM_CLOSED);
        return;
    case WEIR_HTTP2_BAD_NUMBER:
    case WEIR_HTTP2_BAD_PRIORITY:
        front_http2_end(conn, &weir_fault_http2_protocol_error, NGHTTP2_PROTOCOL_ERROR);
        return;
    case WEIR_HTTP2_OWN_PRIORITY:
        reset(conn, frame->stream, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
}

void front_http2_guard_scan(front_http2_conn_t *conn, weir_span_t bytes)
{
    weir_http2_frame_t frame;

    while (conn->state == FRONT_HTTP2_OPEN && weir_http2_frames_next(&conn->guard.incoming, &bytes, &frame)) {
        count_frame(conn, frame.type, frame.flags, frame.length);
        if (conn->state == FRONT_HTTP2_OPEN)
            judge(conn, &frame);
    }
}

void front_http2_guard_reset_sent(front_http2_conn_t *conn, uint32_t error_code)
{
    /* Those that are our own wish are no fault of the client's */
    if (error_code != NGHTTP2_NO_ERROR && error_code != NGHTTP2_INTERNAL_ERROR && error_code != NGHTTP2_CANCEL)
        spend_reset(conn);
}

void front_http2_guard_earn(front_http2_conn_t *conn, size_t bytes)
{
    earn(conn, &conn->guard.frames, &frames_size, 1);
    earn(conn, &conn->guard.updates, &updates_size, 4 + (int64_t)(bytes / UPDATE_BYTES));
}

bool front_http2_guard_field(front_http2_conn_t *conn, const front_http2_stream_t *stream)
{
    const weir_server_settings_t *settings = conn->client.loop->settings;
    const weir_head_limits_t *limits = &settings->head_limits;
    size_t bytes = stream->head.total_bytes + stream->trailer.total_bytes;
    size_t count = stream->head.count + stream->trailer.count;

    if (bytes <= HEAD_TIMES * (limits->total_bytes + settings->max_trailer_bytes) + FRONT_HTTP2_HEAD_SPARE_BYTES &&
        count <= HEAD_TIMES * (limits->count + WEIR_CHUNK_TRAILER_COUNT))
        return true;
    front_http2_end(conn, &weir_fault_http2_head_too_large, NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

bool front_http2_guard_head(front_http2_stream_t *stream)
{
    front_http2_conn_t *conn = stream->conn;
    size_t most = conn->client.loop->settings->head_limits.total_bytes, bytes = stream->head.total_bytes;

    bytes = bytes < most ? bytes : most; /* what is beyond was not kept */
    if (conn->head_bytes > 0 && conn->head_bytes + bytes > FRONT_HTTP2_HEADS_BYTES)
        return false;
    stream->head_bytes = bytes;
    conn->head_bytes += bytes;
    return true;
}

void front_http2_guard_forget_head(front_http2_stream_t *stream)
{
    stream->conn->head_bytes -= stream->head_bytes;
    stream->head_bytes = 0;
}
