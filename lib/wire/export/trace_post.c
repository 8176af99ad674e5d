/* SPDX-License-Identifier: MIT */
/*
 *   dial ─► TLS ─► head, body ─► answer: status, Retry-After, what it says of single spans
 *
 * One time limit is for all of it.
 */
#include "lib/wire/export/trace_post.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/chunked.h"
#include "lib/http/framing.h"
#include "lib/http/otlp.h"
#include "lib/http/response_head.h"
#include "lib/wire/sock/dial.h"

enum { HEADERS_MOST = 100, HEAD_BYTES = 2048, LINE_BYTES = 8192, RETRY_AFTER_S_MOST = 3600 };

/* One exchange with a receiver. */
typedef struct post {
    const weir_trace_receiver_t *receiver;
    const weir_post_stop_t *stop;
    uint64_t deadline_ms;
    int fd;
    SSL *ssl; /* NULL: plain */
    char *answer;
    size_t answer_bytes;
    bool is_ended; /* the receiver sends no more */
    weir_post_result_t result;
} post_t;

/* ---- waiting ---- */

uint64_t weir_post_now_ms(void)
{
    return weir_clock_monotonic_us() / 1000;
}

bool weir_post_wait(int fd, short events, uint64_t deadline_ms, const weir_post_stop_t *stop)
{
    for (;;) {
        const uint64_t now_ms = weir_post_now_ms(), stop_ms = atomic_load(&stop->until_ms);
        const uint64_t until_ms = stop_ms != 0 && stop_ms < deadline_ms ? stop_ms : deadline_ms;
        struct pollfd either[] = {{.fd = fd, .events = events}, {.fd = stop_ms == 0 ? stop->fd : -1, .events = POLLIN}};
        if (now_ms >= until_ms)
            return false;
        const int count = poll(either, 2, (int)(until_ms - now_ms));
        if (count > 0 && either[0].revents != 0)
            return true;
        if (count == -1 && errno != EINTR)
            return false;
    }
}

static bool wait_for(post_t *post, short events)
{
    return weir_post_wait(post->fd, events, post->deadline_ms, post->stop);
}

/* ---- bytes ---- */

static bool fail(post_t *post, weir_post_end_t end, const char *problem)
{
    post->result.end = end;
    if (post->result.problem[0] == '\0')
        (void)snprintf(post->result.problem, sizeof(post->result.problem), "%s", problem);
    return false;
}

/* What OpenSSL waits for; 0: it has failed. */
static short wanted(const post_t *post, int status)
{
    switch (SSL_get_error(post->ssl, status)) {
    case SSL_ERROR_WANT_READ:
        return POLLIN;
    case SSL_ERROR_WANT_WRITE:
        return POLLOUT;
    default:
        return 0;
    }
}

/* Once: how many bytes were written; 0: none, and *out_wanted is awaited; -1. */
static ssize_t write_some(post_t *post, weir_span_t bytes, short *out_wanted)
{
    ssize_t count;

    if (post->ssl != NULL) {
        ERR_clear_error();
        const int written = SSL_write(post->ssl, bytes.base, (int)bytes.len);
        *out_wanted = written > 0 ? 0 : wanted(post, written);
        return written > 0 ? written : *out_wanted != 0 ? 0 : -1;
    }
    count = send(post->fd, bytes.base, bytes.len, MSG_NOSIGNAL);
    *out_wanted = POLLOUT;
    return count == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : count;
}

static bool write_all(post_t *post, weir_span_t bytes)
{
    while (bytes.len > 0) {
        short events;
        const ssize_t count = write_some(post, bytes, &events);
        if (count < 0)
            return false;
        if (count == 0 && !wait_for(post, events))
            return false;
        bytes = (weir_span_t){bytes.base + count, bytes.len - (size_t)count};
    }
    return true;
}

/* Once: more than 0, or as write_some(); the end is -1 and post->is_ended. */
static ssize_t read_some(post_t *post, char *to, size_t room, short *out_wanted)
{
    ssize_t count;

    if (post->ssl != NULL) {
        ERR_clear_error();
        const int taken = SSL_read(post->ssl, to, (int)room);
        *out_wanted = taken > 0 ? 0 : wanted(post, taken);
        post->is_ended = taken <= 0 && *out_wanted == 0;
        return taken > 0 ? taken : *out_wanted != 0 ? 0 : -1;
    }
    count = recv(post->fd, to, room, 0);
    *out_wanted = POLLIN;
    post->is_ended = count == 0;
    return count == 0 ? -1 : count == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : count;
}

/* More of the answer. False: there is none, or no room for it. */
static bool read_more(post_t *post)
{
    for (;;) {
        short events;
        const size_t room = WEIR_POST_ANSWER_BYTES - post->answer_bytes;
        const ssize_t count = room > 0 ? read_some(post, post->answer + post->answer_bytes, room, &events) : -1;
        if (count < 0 || (count == 0 && !wait_for(post, events)))
            return false;
        post->answer_bytes += (size_t)count;
        if (count > 0)
            return true;
    }
}

/* ---- the way there ---- */

static bool dial(post_t *post)
{
    const uint64_t stop_ms = atomic_load(&post->stop->until_ms), now_ms = weir_post_now_ms();
    const uint64_t until_ms = stop_ms != 0 && stop_ms < post->deadline_ms ? stop_ms : post->deadline_ms;

    post->fd = until_ms <= now_ms ? -1
                                  : weir_dial(post->receiver->host, post->receiver->port, stop_ms == 0 ? post->stop->fd : -1,
                                              (uint32_t)(until_ms - now_ms));
    return post->fd != -1 || fail(post, WEIR_POST_AGAIN, "no connection can be made");
}

/* Who it is, is said by its name, or by its address if it is called by that. */
static bool name_peer(SSL *ssl, const char *host)
{
    uint8_t address[16];
    const bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static bool shake_hands(post_t *post)
{
    int status;

    if (post->receiver->context == NULL)
        return true;
    post->ssl = SSL_new(post->receiver->context);
    WEIR_MUST(post->ssl != NULL && SSL_set_fd(post->ssl, post->fd) == 1);
    if (!name_peer(post->ssl, post->receiver->host))
        return fail(post, WEIR_POST_UNREACHABLE, "TLS: the host's name cannot be asked for");
    ERR_clear_error();
    while ((status = SSL_connect(post->ssl)) != 1) {
        const short events = wanted(post, status);
        if (events != 0 && wait_for(post, events))
            continue;
        (void)snprintf(post->result.problem, sizeof(post->result.problem), "TLS: %s",
                       SSL_get_verify_result(post->ssl) != X509_V_OK
                           ? X509_verify_cert_error_string(SSL_get_verify_result(post->ssl))
                           : "the handshake fails");
        return fail(post, WEIR_POST_AGAIN, "");
    }
    return true;
}

static bool send_request(post_t *post, weir_span_t body)
{
    const weir_trace_receiver_t *receiver = post->receiver;
    char head[HEAD_BYTES];
    const int length = snprintf(head, sizeof(head),
                                "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                                "User-Agent: weir/" WEIR_VERSION "\r\nConnection: close\r\n\r\n",
                                receiver->path, receiver->authority, body.len);

    WEIR_MUST(length > 0 && (size_t)length < sizeof(head)); /* the configuration's limits on a URL are less */
    if (write_all(post, (weir_span_t){head, (size_t)length}))
        (void)write_all(post, body); /* who refuses a message need not read all of it: there may be an answer */
    return true;
}

/* ---- the answer ---- */

/* The head of the final response. False: there is none. */
static bool read_head(post_t *post, weir_header_t *headers, weir_response_head_t *head, size_t *out_bytes)
{
    static const weir_response_limits_t limits = {LINE_BYTES, LINE_BYTES, LINE_BYTES, HEADERS_MOST, WEIR_POST_ANSWER_BYTES};
    size_t begin = 0, consumed = 0;

    for (;;) {
        const weir_span_t bytes = {post->answer + begin, post->answer_bytes - begin};
        weir_response_reader_t reader = {0, 0};
        const weir_fault_t *fault;
        switch (weir_response_head_read(&reader, bytes, &limits, headers, head, &consumed, &fault)) {
        case WEIR_HEAD_FAULTY:
            return fail(post, WEIR_POST_UNREACHABLE, "what answers does not speak HTTP");
        case WEIR_HEAD_PARTIAL:
            if (!read_more(post))
                return fail(post, WEIR_POST_UNREACHABLE, "it does not answer");
            break;
        case WEIR_HEAD_COMPLETE:
            begin += consumed;
            *out_bytes = begin;
            if (head->status >= 200)
                return true;
            break;
        }
    }
}

/* Decodes as much as there is. True: all of the body is in *out. */
static bool unchunk(weir_span_t bytes, char *buffer, weir_span_t *out)
{
    weir_chunk_decoder_t decoder = {0};
    weir_chunk_event_t event;
    weir_span_t data;
    weir_arena_t arena;
    size_t len = 0;

    weir_arena_init(&arena);
    while ((event = weir_chunk_decode(&decoder, &arena, &bytes, &data)) == WEIR_CHUNK_DATA) {
        memcpy(buffer + len, data.base, data.len);
        len += data.len;
    }
    weir_arena_finish(&arena);
    *out = (weir_span_t){buffer, len};
    return event != WEIR_CHUNK_MORE;
}

/* Whether all of the body is there; it is in *out. */
static bool has_body(const post_t *post, const weir_framing_t *framing, size_t begin, char *buffer, weir_span_t *out)
{
    const weir_span_t rest = {post->answer + begin, post->answer_bytes - begin};

    *out = rest;
    switch (framing->kind) {
    case WEIR_FRAMING_NONE:
        return true;
    case WEIR_FRAMING_LENGTH:
        return rest.len >= framing->length_bytes;
    case WEIR_FRAMING_CHUNKED:
        return unchunk(rest, buffer, out);
    case WEIR_FRAMING_UNTIL_CLOSE:
        break;
    }
    return false;
}

/* A receiver that has taken the message may still not have taken all of it. */
static void read_rejected(post_t *post, const weir_response_head_t *head, size_t begin)
{
    char *buffer = malloc(WEIR_POST_ANSWER_BYTES);
    weir_framing_t framing;
    uint64_t length;
    weir_span_t body;

    WEIR_MUST(buffer != NULL);
    if (weir_framing_of_response(&head->headers, head->status, false, &framing, &length) == NULL) {
        while (!has_body(post, &framing, begin, buffer, &body) && read_more(post))
            continue;
        post->result.rejected = weir_otlp_rejected(body);
    }
    free(buffer);
}

/* In seconds; a date is as good as nothing. */
static uint32_t retry_after_ms(const weir_response_head_t *head)
{
    const weir_header_t *field = weir_headers_find_name(&head->headers, WEIR_SPAN("retry-after"));
    uint64_t seconds;

    if (field == NULL || !weir_span_to_u63(field->value, &seconds))
        return 0;
    return (uint32_t)(seconds < RETRY_AFTER_S_MOST ? seconds : RETRY_AFTER_S_MOST) * 1000;
}

/* https://opentelemetry.io/docs/specs/otlp/#failures-1 */
static bool may_be_repeated(uint16_t status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static void read_answer(post_t *post)
{
    weir_header_t *headers = calloc(HEADERS_MOST, sizeof(*headers));
    weir_response_head_t head;
    size_t begin = 0;

    WEIR_MUST(headers != NULL);
    if (read_head(post, headers, &head, &begin)) {
        if (head.status < 300) {
            post->result.end = WEIR_POST_TAKEN;
            read_rejected(post, &head, begin);
        } else {
            post->result.end = may_be_repeated(head.status) ? WEIR_POST_AGAIN : WEIR_POST_REFUSED;
            post->result.retry_after_ms = retry_after_ms(&head);
            (void)snprintf(post->result.problem, sizeof(post->result.problem), "it answers %u", head.status);
        }
    }
    free(headers);
}

weir_post_result_t weir_trace_post(const weir_trace_receiver_t *receiver, weir_span_t body, const weir_post_stop_t *stop)
{
    post_t post = {.receiver = receiver, .stop = stop, .deadline_ms = weir_post_now_ms() + WEIR_POST_TIMEOUT_MS, .fd = -1};

    post.answer = malloc(WEIR_POST_ANSWER_BYTES);
    WEIR_MUST(post.answer != NULL);
    if (dial(&post) && shake_hands(&post) && send_request(&post, body))
        read_answer(&post);
    SSL_free(post.ssl);
    if (post.fd != -1)
        close(post.fd);
    free(post.answer);
    ERR_clear_error();
    return post.result;
}
