/* SPDX-License-Identifier: MIT */
#include "lib/wire/door/tls_start.h"

#include <openssl/err.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/wire/door/fronts.h"
#include "lib/wire/client/client_certificate.h"
#include "lib/wire/sock/sock_tls.h"
#include "lib/wire/tls/tls.h"

enum {
    COMPLAINT_US = 1000000,
    TURN_US = 2000, /* of each turn may go to handshakes, and what the last of them takes longer */
};

typedef struct tls_start {
    weir_start_t start; /* first */
    weir_tls_t *tls;    /* held: the handshake asks it for certificates */
    weir_list_t waiting_link;
} tls_start_t;

static void finish(weir_start_t *start)
{
    tls_start_t *tls_start = (tls_start_t *)(void *)start;

    weir_tls_release(&tls_start->tls);
    weir_list_remove(&tls_start->waiting_link);
}

static weir_alpn_t alpn_of(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    if (len == 0)
        return WEIR_ALPN_NONE;
    /* libh2o's own list has "h2-16" and "h2-14" beside "h2" */
    return len >= 2 && memcmp(name, "h2", 2) == 0 ? WEIR_ALPN_H2 : WEIR_ALPN_HTTP1;
}

static void hand_on(weir_start_t *start)
{
    start->peer.is_https = true;
    start->peer.certificate = weir_certificate_of(weir_sock_ssl(&start->sock));
    weir_client_begin(start->loop, &start->sock, &start->peer, start->listen, alpn_of(weir_sock_ssl(&start->sock)));
    weir_start_release(start);
}

/* Anybody can make handshakes fail as often as he likes: one line a second says it for all of them. */
static void complain(const weir_start_t *start, unsigned long error)
{
    static atomic_uint_fast64_t said_at_us;
    static atomic_uint unsaid;
    uint64_t now_us = weir_loop_now_us(start->loop), last_us = atomic_load(&said_at_us);

    if (now_us - last_us < COMPLAINT_US || !atomic_compare_exchange_strong(&said_at_us, &last_us, now_us)) {
        atomic_fetch_add(&unsaid, 1);
        return;
    }
    const char *reason = ERR_reason_error_string(error);
    weir_span_t peer = weir_peer_text(&start->peer);
    weir_log("%s: the TLS handshake with %.*s failed: %s (and %u others since the last such line)", start->listen->name,
             (int)peer.len, peer.base, reason != NULL ? reason : "the connection ended", atomic_exchange(&unsaid, 0));
}

/* Somebody speaks HTTP to an address that wants TLS: no alert would tell him so. */
static void answer_in_plain(const weir_start_t *start)
{
    static const char page[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "Content-Length: 56\r\n\r\n400 Bad Request\nThis address speaks HTTPS: use https://\n";

    (void)!send(start->sock.fd, page, sizeof(page) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Whoever connects and goes, to see whether somebody is there, has not failed. */
static bool has_said_anything(const weir_start_t *start)
{
    return BIO_number_read(SSL_get_rbio(weir_sock_ssl(&start->sock))) > 0;
}

static void fail(weir_start_t *start)
{
    unsigned long error = ERR_peek_error();
    bool is_http = ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST;

    if (is_http)
        answer_in_plain(start);
    if (has_said_anything(start))
        complain(start, error);
    ERR_clear_error();
    weir_start_close(start);
}

static void shake_hands(weir_start_t *start)
{
    uint64_t began_us = weir_clock_monotonic_us();
    weir_handshake_t result = weir_sock_tls_handshake(&start->sock);

    start->loop->handshakes.spent_us += weir_clock_monotonic_us() - began_us;
    switch (result) {
    case WEIR_HANDSHAKE_DONE:
        hand_on(start);
        return;
    case WEIR_HANDSHAKE_BLOCKED:
        weir_sock_watch(&start->sock, true);
        return;
    case WEIR_HANDSHAKE_FAILED:
        fail(start);
        return;
    }
}

/* ---- many handshakes at once: each takes milliseconds, and requests are under way ---- */

static bool has_time(weir_loop_t *loop)
{
    if (loop->handshakes.turn != loop->turns) {
        loop->handshakes.turn = loop->turns;
        loop->handshakes.spent_us = 0;
    }
    return loop->handshakes.spent_us < TURN_US;
}

static void call_for_waiting(weir_loop_t *loop)
{
    if (weir_list_is_empty(&loop->handshakes.letter.link))
        weir_loop_post(loop, &loop->handshakes.letter);
}

static void on_letter(weir_letter_t *letter)
{
    weir_loop_t *loop = WEIR_AROUND(letter, weir_loop_t, handshakes.letter);
    weir_list_t *waiting = &loop->handshakes.waiting;

    while (!weir_list_is_empty(waiting) && has_time(loop)) {
        tls_start_t *first = WEIR_AROUND(waiting->next, tls_start_t, waiting_link);
        weir_list_remove(&first->waiting_link);
        shake_hands(&first->start);
    }
    if (!weir_list_is_empty(waiting))
        call_for_waiting(loop);
}

static void go_on(weir_sock_t *sock)
{
    tls_start_t *tls_start = WEIR_AROUND(sock, tls_start_t, start.sock);
    weir_loop_t *loop = tls_start->start.loop;

    if (weir_list_is_empty(&loop->handshakes.waiting) && has_time(loop)) {
        shake_hands(&tls_start->start);
        return;
    }
    weir_sock_watch(sock, false);
    weir_list_remove(&tls_start->waiting_link);
    weir_list_append(&loop->handshakes.waiting, &tls_start->waiting_link);
    call_for_waiting(loop);
}

void weir_tls_start(weir_loop_t *loop, weir_sock_t *sock, const weir_peer_t *peer, const weir_listen_t *listen)
{
    const uint64_t wanted_ms = loop->settings->globalconf->handshake_timeout; /* an application's may be anything */
    const uint32_t timeout_ms = wanted_ms < UINT32_MAX ? (uint32_t)wanted_ms : UINT32_MAX;
    weir_start_t *start = weir_start_create(sizeof(tls_start_t), loop, sock, peer, listen, timeout_ms);
    tls_start_t *tls_start = (tls_start_t *)(void *)start;

    start->finish = finish;
    tls_start->tls = weir_tls_hold(listen->tls);
    weir_list_init(&tls_start->waiting_link);
    start->sock.on_readable = start->sock.on_writable = go_on;
    weir_sock_tls_begin(&start->sock, weir_tls_accept(listen->tls));
    loop->handshakes.letter.open = on_letter;
    go_on(&start->sock);
}
