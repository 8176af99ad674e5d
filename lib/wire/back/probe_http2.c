/* SPDX-License-Identifier: MIT */
/*
 * A probe in HTTP/2: one stream. Of an HTTP answer the head is all that is wanted; gRPC answers with a message, and says in its
 * trailers how it went (probe_http2_words.c).
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "lib/base/fault.h"
#include "lib/base/must.h"
#include "weir_span.h"
#include "lib/wire/back/probe.h"

enum {
    WINDOW_BYTES = 65535,
    FINAL_STATUS_LEAST = 200,
};

typedef struct talk {
    nghttp2_session *session;
    bool is_done;
    bool has_settings;   /* whoever sends them speaks HTTP/2 */
    bool has_final;      /* a final head has come */
    size_t fields_bytes; /* of all heads          */
    weir_bytes_t question;
    char answer[PROBE_ANSWER_BYTES];
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
    probe_http2_hear(probing, name, value);
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

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error_code, void *arg)
{
    weir_probing_t *probing = arg;
    talk_t *talk = probing->talk;

    if (error_code != NGHTTP2_NO_ERROR || !talk->has_final) {
        fail(probing,
             error_code == NGHTTP2_REFUSED_STREAM ? &weir_fault_backend_stream_refused : &weir_fault_backend_stream_reset);
        return 0;
    }
    probing->result.is_serving =
        probing->result.grpc_status == 0 && probe_grpc_is_serving((weir_span_t){talk->answer, talk->answer_bytes});
    talk->is_done = true;
    return 0;
}

/* ---- what is asked ---- */

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

static void submit(weir_probing_t *probing)
{
    talk_t *talk = probing->talk;
    const bool is_grpc = probing->kind == WEIR_PROBE_GRPC;
    const nghttp2_data_provider body = {.source.ptr = talk, .read_callback = read_question};
    weir_header_t fields[PROBE_HTTP2_FIELDS];
    nghttp2_nv nv[PROBE_HTTP2_FIELDS] = {{0}};
    const size_t count = probe_http2_fields(probing, fields);

    for (size_t i = 0; i < count; i++) {
        nv[i].name = (uint8_t *)(uintptr_t)fields[i].name.base;
        nv[i].namelen = fields[i].name.len;
        nv[i].value = (uint8_t *)(uintptr_t)fields[i].value.base;
        nv[i].valuelen = fields[i].value.len;
    }
    if (is_grpc)
        probe_grpc_ask(probing, &talk->question);
    WEIR_MUST(nghttp2_submit_request(talk->session, NULL, nv, count, is_grpc ? &body : NULL, NULL) > 0);
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
