/* SPDX-License-Identifier: MIT */
/*
 * A probe in HTTP/2: one stream. Of an HTTP answer the head is all that is wanted; gRPC answers with a message, and says in its
 * trailers how it went (grpc/doc/health-checking.md, PROTOCOL-HTTP2.md).
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "lib/base/fault.h"
#include "lib/base/must.h"
#include "weir_span.h"
#include "lib/wire/back/probe.h"

enum {
    WINDOW_BYTES = 65535,
    MESSAGE_HEAD_BYTES = 5, /* is it compressed?, and its length in 4 bytes */
    ANSWER_BYTES_MOST = 64,
    VARINT_BITS = 7,
    TAG_SERVICE = 0x0a, /* field 1, bytes  */
    TAG_STATUS = 0x08,  /* field 1, number */
    SERVING = 1,
    FINAL_STATUS_LEAST = 200,
};

typedef struct talk {
    nghttp2_session *session;
    bool is_done;
    bool has_settings;   /* whoever sends them speaks HTTP/2 */
    bool has_final;      /* a final head has come */
    size_t fields_bytes; /* of all heads          */
    weir_bytes_t question;
    char answer[ANSWER_BYTES_MOST];
    size_t answer_bytes;
} talk_t;

/* ---- what comes ---- */

static void fail(weir_probing_t *probing, const weir_fault_t *fault)
{
    talk_t *talk = probing->talk;

    if (!talk->is_done)
        probing->result.fault = fault;
    talk->is_done = true;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_base, size_t name_len,
                     const uint8_t *value_base, size_t value_len, uint8_t flags, void *arg)
{
    weir_probing_t *probing = arg;
    talk_t *talk = probing->talk;
    const weir_span_t name = {(const char *)name_base, name_len}, value = {(const char *)value_base, value_len};
    uint64_t number = 0;

    talk->fields_bytes += name_len + value_len;
    if (talk->fields_bytes > WEIR_PROBE_HEAD_BYTES) {
        fail(probing, &weir_fault_backend_header_length);
        return 0;
    }
    if (weir_span_is(name, ":status")) {
        if (weir_span_to_number(value, &number))
            probing->result.status = (uint16_t)number;
        return 0;
    }
    if (weir_span_is(name, "grpc-status") && weir_span_to_number(value, &number) && number <= INT16_MAX)
        probing->result.grpc_status = (int16_t)number;
    weir_headers_add(&probing->headers, &probing->arena, weir_arena_copy(&probing->arena, name),
                     weir_arena_copy(&probing->arena, value));
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    weir_probing_t *probing = arg;
    talk_t *talk = probing->talk;

    if (frame->hd.type == NGHTTP2_SETTINGS)
        talk->has_settings = true;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        fail(probing, &weir_fault_backend_goaway);
    if (frame->hd.type != NGHTTP2_HEADERS || probing->result.status < FINAL_STATUS_LEAST)
        return 0;
    talk->has_final = true;
    if (probing->kind == WEIR_PROBE_HTTP)
        talk->is_done = true;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len, void *arg)
{
    weir_probing_t *probing = arg;
    talk_t *talk = probing->talk;

    if (len > sizeof(talk->answer) - talk->answer_bytes) {
        fail(probing, &weir_fault_backend_http2_message);
        return 0;
    }
    memcpy(talk->answer + talk->answer_bytes, data, len);
    talk->answer_bytes += len;
    return 0;
}

/* HealthCheckResponse: field 1 is the status, and there is no other. */
static bool is_serving(const talk_t *talk)
{
    const uint8_t *bytes = (const uint8_t *)talk->answer + MESSAGE_HEAD_BYTES;

    return talk->answer_bytes == MESSAGE_HEAD_BYTES + 2 && talk->answer[0] == 0 && bytes[0] == TAG_STATUS &&
           bytes[1] == SERVING;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error_code, void *arg)
{
    weir_probing_t *probing = arg;
    talk_t *talk = probing->talk;

    if (error_code != NGHTTP2_NO_ERROR || !talk->has_final) {
        fail(probing,
             error_code == NGHTTP2_REFUSED_STREAM ? &weir_fault_backend_stream_refused : &weir_fault_backend_stream_reset);
        return 0;
    }
    probing->result.is_serving = probing->result.grpc_status == 0 && is_serving(talk);
    talk->is_done = true;
    return 0;
}

/* ---- what is asked ---- */

static char *write_varint(char *at, size_t number)
{
    for (; number >> VARINT_BITS != 0; number >>= VARINT_BITS)
        *at++ = (char)(number | 1 << VARINT_BITS);
    *at++ = (char)number;
    return at;
}

/* HealthCheckRequest: field 1 is the service; the server as a whole has an empty name, which is not written. */
static void write_question(weir_probing_t *probing)
{
    talk_t *talk = probing->talk;
    char field[16] = {TAG_SERVICE}, head[MESSAGE_HEAD_BYTES] = {0};
    const size_t field_bytes = probing->service.len == 0 ? 0 : (size_t)(write_varint(field + 1, probing->service.len) - field);
    const size_t bytes = field_bytes + probing->service.len;

    for (size_t i = 1; i < MESSAGE_HEAD_BYTES; i++)
        head[i] = (char)(bytes >> 8 * (MESSAGE_HEAD_BYTES - 1 - i));
    weir_bytes_append(&talk->question, (weir_span_t){head, sizeof(head)});
    weir_bytes_append(&talk->question, (weir_span_t){field, field_bytes});
    weir_bytes_append(&talk->question, probing->service);
}

static ssize_t read_question(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length, uint32_t *flags,
                             nghttp2_data_source *source, void *arg)
{
    talk_t *talk = source->ptr;
    const weir_span_t all = weir_bytes_span(&talk->question);
    const size_t count = all.len < length ? all.len : length;

    if (all.base != NULL)
        memcpy(buffer, all.base, count);
    weir_bytes_consume(&talk->question, count);
    if (weir_bytes_count(&talk->question) == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static nghttp2_nv field_of(const char *name, weir_span_t value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)(uintptr_t)value.base,
                        .valuelen = value.len};
}

static void submit(weir_probing_t *probing)
{
    talk_t *talk = probing->talk;
    const bool is_grpc = probing->kind == WEIR_PROBE_GRPC;
    const nghttp2_nv fields[] = {
        field_of(":method", is_grpc ? WEIR_SPAN("POST") : WEIR_SPAN("GET")),
        field_of(":scheme", probing->target.tls != NULL ? WEIR_SPAN("https") : WEIR_SPAN("http")),
        field_of(":authority", probing->host),
        field_of(":path", is_grpc ? WEIR_SPAN("/grpc.health.v1.Health/Check") : probing->path),
        field_of("user-agent", WEIR_SPAN("weir-probe")),
        field_of("content-type", WEIR_SPAN("application/grpc")),
        field_of("te", WEIR_SPAN("trailers")),
    };
    const size_t count = sizeof(fields) / sizeof(fields[0]) - (is_grpc ? 0 : 2);
    const nghttp2_data_provider body = {.source.ptr = talk, .read_callback = read_question};

    if (is_grpc)
        write_question(probing);
    WEIR_MUST(nghttp2_submit_request(talk->session, NULL, fields, count, is_grpc ? &body : NULL, NULL) > 0);
}

/* ---- the connection ---- */

static void fill_out(weir_probing_t *probing)
{
    talk_t *talk = probing->talk;
    const uint8_t *frame;
    ssize_t count;

    while ((count = nghttp2_session_mem_send(talk->session, &frame)) > 0)
        weir_bytes_append(&probing->out, (weir_span_t){(const char *)frame, (size_t)count});
    if (count < 0)
        fail(probing, &weir_fault_backend_http2_error);
}

static void begin(weir_probing_t *probing)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, WEIR_PROBE_HEAD_BYTES},
    };
    talk_t *talk = weir_arena_zalloc(&probing->arena, sizeof(*talk));
    nghttp2_session_callbacks *callbacks;

    probing->talk = talk;
    WEIR_MUST(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    const int failed = nghttp2_session_client_new(&talk->session, callbacks, probing);
    nghttp2_session_callbacks_del(callbacks);
    WEIR_MUST(failed == 0);
    WEIR_MUST(nghttp2_submit_settings(talk->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(*settings)) == 0);
    submit(probing);
    fill_out(probing);
}

static probe_progress_t take(weir_probing_t *probing, weir_span_t bytes)
{
    talk_t *talk = probing->talk;
    const ssize_t count = nghttp2_session_mem_recv(talk->session, (const uint8_t *)bytes.base, bytes.len);

    if (!talk->is_done)
        fill_out(probing);
    /* libnghttp2 answers what breaks the rules with a GOAWAY, and wants nothing more then. */
    if (count < 0 || nghttp2_session_want_read(talk->session) == 0)
        fail(probing, talk->has_settings ? &weir_fault_backend_http2_error : &weir_fault_backend_not_http2);
    return talk->is_done ? PROBE_DONE : PROBE_MORE;
}

static void end(weir_probing_t *probing)
{
    talk_t *talk = probing->talk;

    nghttp2_session_del(talk->session);
    weir_bytes_free(&talk->question);
}

const probe_ops_t probe_http2_ops = {begin, take, end};
