/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/wire/store/store_call.h"

enum {
    MOST_READS = 32, /* in one turn: then the others have theirs */
    MOST_WORDS = 64, /* of a GOAWAY */
    MOST_FRAME = 1 << 18
};

void store_link_fail(store_link_t *link, weir_etcd_status_t status, const char *why)
{
    if (link->end != WEIR_ETCD_FINE)
        return;
    link->end = status;
    if (!link->is_going) /* else that is why */
        (void)snprintf(link->problem, sizeof(link->problem), "%.100s: %.150s", link->name, why);
    for (weir_list_t *node = link->calls.next; node != &link->calls; node = node->next)
        store_call_lose(WEIR_AROUND(node, store_call_t, link));
}

/* ---- frames of the connection ---- */

/* "too_many_pings", for one. */
static void on_goaway(store_link_t *link, const nghttp2_goaway *frame)
{
    char words[MOST_WORDS];

    store_copy_words(words, sizeof(words), (weir_span_t){(const char *)frame->opaque_data, frame->opaque_data_len});
    link->is_going = true;
    (void)snprintf(link->problem, sizeof(link->problem), "%.100s is going away (%s%s%s)", link->name,
                   nghttp2_http2_strerror(frame->error_code), words[0] != '\0' ? ": " : "", words);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    store_link_t *link = arg;

    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
        link->is_ready = true;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        link->awaits_pong = false;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        on_goaway(link, &frame->goaway);
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        store_call_on_end(session, frame->hd.stream_id);
    return 0;
}

static void begin_session(store_link_t *link)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STORE_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, MOST_FRAME},
    };
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    WEIR_MUST(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    store_call_set_callbacks(callbacks);
    nghttp2_option_set_no_auto_window_update(option, 1);
    WEIR_MUST(nghttp2_session_client_new2(&link->session, callbacks, link, option) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    WEIR_MUST(nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, settings, sizeof(settings) / sizeof(*settings)) == 0);
    WEIR_MUST(nghttp2_session_set_local_window_size(link->session, NGHTTP2_FLAG_NONE, 0, STORE_CONNECTION_WINDOW_BYTES) == 0);
}

/* ---- bytes ---- */

static bool fill_out(store_link_t *link)
{
    ssize_t count;

    if (link->out_count > 0)
        return true;
    count = nghttp2_session_mem_send(link->session, &link->out);
    if (count < 0)
        store_link_fail(link, WEIR_ETCD_CUT, nghttp2_strerror((int)count));
    link->out_count = count > 0 ? (size_t)count : 0;
    return link->out_count > 0;
}

static void fail_socket(store_link_t *link)
{
    store_link_fail(link, link->socket.is_denied ? WEIR_ETCD_DENIED : WEIR_ETCD_CUT, link->socket.problem);
}

void store_link_flush(store_link_t *link)
{
    while (link->end == WEIR_ETCD_FINE && fill_out(link)) {
        const ssize_t sent = store_socket_write(&link->socket, (const char *)link->out, link->out_count);
        if (sent == STORE_SOCKET_BLOCKED)
            return;
        if (sent < 0) {
            fail_socket(link);
            return;
        }
        link->out += sent;
        link->out_count -= (size_t)sent;
    }
}

static void feed(store_link_t *link, const char *bytes, size_t count)
{
    const ssize_t taken = nghttp2_session_mem_recv(link->session, (const uint8_t *)bytes, count);
    const bool is_first = !link->is_ready;

    link->heard_at_ms = store_now_ms();
    if (taken < 0 || (is_first && !nghttp2_session_want_read(link->session)))
        store_link_fail(link, WEIR_ETCD_CUT, is_first ? "no HTTP/2 is spoken there" : nghttp2_strerror((int)taken));
    else if (!nghttp2_session_want_read(link->session) && !nghttp2_session_want_write(link->session))
        store_link_fail(link, WEIR_ETCD_CUT, "the connection has ended");
}

/* How many bytes have come. */
static size_t receive(store_link_t *link)
{
    size_t count = 0;

    for (int i = 0; i < MOST_READS && link->end == WEIR_ETCD_FINE; i++) {
        const ssize_t got = store_socket_read(&link->socket, link->buffer, sizeof(link->buffer));
        if (got == STORE_SOCKET_BLOCKED)
            break;
        if (got == 0)
            store_link_fail(link, WEIR_ETCD_CUT, "the connection has ended");
        else if (got < 0)
            fail_socket(link);
        else
            feed(link, link->buffer, (size_t)got);
        count += got > 0 ? (size_t)got : 0;
    }
    return count;
}

/* ---- whether the peer lives ---- */

/* When there is something to do about it. */
static uint64_t next_look_ms(const store_link_t *link)
{
    const uint64_t last_ms = link->heard_at_ms > link->pinged_at_ms ? link->heard_at_ms : link->pinged_at_ms;

    if (link->awaits_pong)
        return last_ms + link->ping_timeout_ms; /* the answer may stand behind a long one of another call */
    return weir_list_is_empty(&link->calls) ? UINT64_MAX : last_ms + link->ping_interval_ms;
}

static void ping(store_link_t *link, uint64_t now_ms)
{
    if (link->awaits_pong || now_ms < next_look_ms(link))
        return;
    (void)nghttp2_submit_ping(link->session, NGHTTP2_FLAG_NONE, NULL);
    link->awaits_pong = true;
    link->pinged_at_ms = now_ms;
}

/* `read_at_ms`: until then all has been read. Somebody who came late to look has not made the peer late. */
static void look(store_link_t *link, uint64_t read_at_ms)
{
    if (link->end != WEIR_ETCD_FINE || !link->awaits_pong || read_at_ms < next_look_ms(link))
        return;
    link->has_stalled = true;
    store_link_fail(link, WEIR_ETCD_CUT, "it does not answer any more");
}

weir_etcd_status_t store_link_turn(store_link_t *link, uint64_t until_ms)
{
    const uint64_t begun_at_ms = store_now_ms();
    weir_etcd_status_t status;
    uint64_t next_ms;

    ping(link, begun_at_ms);
    store_link_flush(link);
    if (link->end != WEIR_ETCD_FINE)
        return link->end;
    if (receive(link) > 0) { /* TLS may hold some that poll(2) does not see */
        store_link_flush(link);
        status = store_socket_wait(&link->socket, false, 0);
        return status == WEIR_ETCD_WOKEN ? status : link->end;
    }
    look(link, begun_at_ms);
    if (link->end != WEIR_ETCD_FINE)
        return link->end;
    next_ms = next_look_ms(link);
    status = store_socket_wait(&link->socket, link->out_count > 0, next_ms < until_ms ? next_ms : until_ms);
    return status == WEIR_ETCD_NOTHING && store_now_ms() < until_ms ? WEIR_ETCD_FINE : status;
}

/* ---- begin and end ---- */

static weir_etcd_status_t await_settings(store_link_t *link, uint64_t until_ms)
{
    weir_etcd_status_t status = WEIR_ETCD_FINE;

    while (!link->is_ready && status == WEIR_ETCD_FINE)
        status = store_link_turn(link, until_ms);
    if (link->is_ready || status != WEIR_ETCD_NOTHING)
        return link->is_ready ? WEIR_ETCD_FINE : status;
    store_link_fail(link, WEIR_ETCD_CUT, "HTTP/2 does not begin in time");
    return link->end;
}

static weir_etcd_status_t open_it(store_link_t *link, const store_link_settings_t *settings, uint64_t until_ms)
{
    const weir_etcd_status_t status = store_socket_open(&link->socket, &settings->socket, until_ms);

    if (status == WEIR_ETCD_FINE) {
        begin_session(link);
        return await_settings(link, until_ms);
    }
    memcpy(link->problem, link->socket.problem, sizeof(link->problem));
    return status;
}

store_link_t *store_link_open(const store_link_settings_t *settings, uint64_t until_ms, weir_etcd_status_t *out_status,
                              char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    const size_t bytes = strlen(settings->socket.name) + 1;
    store_link_t *link = calloc(1, sizeof(*link) + bytes);

    WEIR_MUST(link != NULL);
    memcpy(link->name, settings->socket.name, bytes);
    weir_list_init(&link->calls);
    link->ping_interval_ms = settings->ping_interval_ms;
    link->ping_timeout_ms = settings->ping_timeout_ms;
    link->heard_at_ms = store_now_ms();
    *out_status = open_it(link, settings, until_ms);
    if (*out_status == WEIR_ETCD_FINE)
        return link;
    memcpy(problem, link->problem, WEIR_ETCD_PROBLEM_BYTES);
    store_link_close(&link);
    return NULL;
}

void store_link_close(store_link_t **slot)
{
    store_link_t *link = *slot;

    *slot = NULL;
    if (link == NULL)
        return;
    if (link->session != NULL && link->end == WEIR_ETCD_FINE) {
        (void)nghttp2_session_terminate_session(link->session, NGHTTP2_NO_ERROR);
        store_link_flush(link);
    }
    nghttp2_session_del(link->session);
    store_socket_close(&link->socket);
    free(link);
}
