/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"

enum { MOST_FIELDS = 9 };

static store_call_t *call_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- what is sent ---- */

static ssize_t on_read_request(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t room, uint32_t *flags,
                               nghttp2_data_source *source, void *arg)
{
    store_call_t *call = source->ptr;
    weir_span_t rest = weir_bytes_span(&call->request);
    const size_t count = rest.len < room ? rest.len : room;

    if (count == 0 && call->goes_on)
        return NGHTTP2_ERR_DEFERRED;
    if (rest.base != NULL)
        memcpy(buffer, rest.base, count);
    weir_bytes_consume(&call->request, count);
    if (count == rest.len && !call->goes_on)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static size_t fill_head(nghttp2_nv at[static MOST_FIELDS], const store_call_settings_t *settings)
{
    size_t count = 0;

    at[count++] = field(":method", "POST");
    at[count++] = field(":scheme", settings->scheme);
    at[count++] = field(":path", settings->path);
    at[count++] = field(":authority", settings->authority);
    at[count++] = field("te", "trailers");
    at[count++] = field("content-type", "application/grpc");
    at[count++] = field("user-agent", "weir/" WEIR_VERSION);
    if (settings->wants_leader)
        at[count++] = field("hasleader", "true");
    if (settings->token != NULL) {
        at[count] = field("token", settings->token);
        at[count++].flags = NGHTTP2_NV_FLAG_NO_INDEX;
    }
    return count;
}

store_call_t *store_call_begin(store_link_t *link, const store_call_settings_t *settings, weir_bytes_t *request)
{
    store_call_t *call = calloc(1, sizeof(*call));
    nghttp2_nv head[MOST_FIELDS];
    const nghttp2_data_provider body = {.source.ptr = call, .read_callback = on_read_request};

    WEIR_MUST(call != NULL);
    call->on = link;
    call->goes_on = settings->goes_on;
    call->request = *request;
    *request = (weir_bytes_t){0};
    call->frames.most = settings->most;
    call->last = &call->first;
    call->heard_at_ms = store_now_ms();
    store_status_init(&call->status);
    call->id = nghttp2_submit_request(link->session, NULL, head, fill_head(head, settings), &body, call);
    weir_list_init(&call->link);
    if (call->id > 0) {
        weir_list_append(&link->calls, &call->link);
        return call;
    }
    call->is_closed = true;
    store_call_finish(&call);
    return NULL;
}

/* ---- what comes ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *arg)
{
    store_call_t *call = call_of(session, frame->hd.stream_id);

    if (call == NULL)
        return 0;
    call->heard_at_ms = store_now_ms();
    store_status_take(&call->status, (weir_span_t){(const char *)name, name_length},
                      (weir_span_t){(const char *)value, value_length});
    return 0;
}

static void keep(store_call_t *call, weir_span_t bytes)
{
    store_message_t *message = calloc(1, sizeof(*message));

    WEIR_MUST(message != NULL);
    message->bytes = bytes;
    *call->last = message;
    call->last = &message->next;
}

/* What lies in messages that wait keeps its part of the window; what the next one is made of does not. */
static void pay(store_call_t *call)
{
    if (call->first != NULL || call->is_closed || call->owed_bytes == 0)
        return;
    (void)nghttp2_session_consume_stream(call->on->session, call->id, call->owed_bytes);
    call->owed_bytes = 0;
}

static void refuse(store_call_t *call, store_frames_progress_t progress)
{
    call->is_too_long = progress == STORE_FRAMES_TOO_LONG;
    call->is_bad = !call->is_too_long;
    call->has_ended = true;
    (void)nghttp2_submit_rst_stream(call->on->session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t length, void *arg)
{
    store_call_t *call = call_of(session, id);
    weir_span_t rest = {(const char *)data, length};

    (void)nghttp2_session_consume_connection(session, length); /* a watch that nobody reads must not stop the other calls */
    if (call == NULL || call->is_too_long || call->is_bad)
        return 0;
    call->heard_at_ms = store_now_ms();
    call->owed_bytes += length;
    while (rest.len > 0) {
        const store_frames_progress_t progress = store_frames_take(&call->frames, &rest);
        if (progress == STORE_FRAMES_MORE)
            break;
        if (progress != STORE_FRAMES_MESSAGE) {
            refuse(call, progress);
            return 0;
        }
        keep(call, store_frames_pop(&call->frames));
    }
    pay(call);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    store_call_t *call = call_of(session, id);

    if (call == NULL)
        return 0;
    call->has_ended = call->is_closed = true;
    call->reset_code = code;
    return 0;
}

/* A call that could not leave, because of a GOAWAY: its stream is closed next. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    store_call_t *call = frame->hd.type == NGHTTP2_HEADERS ? call_of(session, frame->hd.stream_id) : NULL;

    if (call != NULL)
        call->was_refused = true;
    return 0;
}

void store_call_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
}

void store_call_on_end(nghttp2_session *session, int32_t id)
{
    store_call_t *call = call_of(session, id);

    if (call != NULL)
        call->has_ended = true;
}

void store_call_lose(store_call_t *call)
{
    call->has_ended = call->is_closed = true;
}

/* ---- what its owner does ---- */

bool store_call_take(store_call_t *call, weir_span_t *out)
{
    store_message_t *message = call->first;

    if (message == NULL)
        return false;
    *out = message->bytes;
    call->first = message->next;
    if (call->first == NULL)
        call->last = &call->first;
    free(message);
    pay(call);
    return true;
}

static weir_etcd_status_t judge_reset(const store_call_t *call, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    if (call->was_refused || call->reset_code == NGHTTP2_REFUSED_STREAM)
        (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "%.100s takes no calls", call->on->name);
    else
        (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "%.100s has cut the call (%s)", call->on->name,
                       nghttp2_http2_strerror(call->reset_code));
    return WEIR_ETCD_CUT;
}

weir_etcd_status_t store_call_judge(const store_call_t *call, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    if (call->is_too_long) {
        (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "the answer is longer than %zu bytes", call->frames.most);
        return WEIR_ETCD_TOO_LONG;
    }
    if (call->is_bad) {
        (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "the answer is compressed, or no gRPC");
        return WEIR_ETCD_FAILED;
    }
    if (call->status.code == WEIR_ETCD_CODE_NONE && call->on->end != WEIR_ETCD_FINE) {
        (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "%s", call->on->problem);
        return call->on->end;
    }
    if (call->status.code == WEIR_ETCD_CODE_NONE && (call->was_refused || call->reset_code != NGHTTP2_NO_ERROR))
        return judge_reset(call, problem);
    return store_status_judge(&call->status, problem);
}

void store_call_finish(store_call_t **slot)
{
    store_call_t *call = *slot;
    weir_span_t message;

    *slot = NULL;
    if (call == NULL)
        return;
    if (!call->is_closed) {
        (void)nghttp2_session_set_stream_user_data(call->on->session, call->id, NULL);
        (void)nghttp2_submit_rst_stream(call->on->session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
    }
    call->is_closed = true;
    while (store_call_take(call, &message))
        free((void *)(uintptr_t)message.base);
    weir_list_remove(&call->link);
    store_frames_free(&call->frames);
    weir_bytes_free(&call->request);
    free(call);
}
