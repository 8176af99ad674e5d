/* SPDX-License-Identifier: MIT */
#include "lib/wire/sock/sock_tls.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "lib/base/must.h"

enum {
    OPTIONS = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION,
    MODES = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS,
    RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH,
    CLOG_MS = 20,   /* until a read is tried again that has something to say first, which the kernel does not take */
    FILLS_MOST = 2, /* of OpenSSL's buffer for one record of bytes: the rest of it, and one in between that carries none */
    BARREN_BYTES = 262144, /* records without bytes, beyond what the bytes have earned: some 10,000 KeyUpdates */
    EARNED_TIMES = 32,     /* a record around a single byte is 23 */
};

struct weir_sock_tls {
    SSL *ssl;
    weir_sock_t *sock;
    weir_letter_t again; /* on_readable, for bytes that are inside already */
    weir_timer_t clog;
    bool is_posted;
    bool is_hungry; /* the last read wanted more of the kernel: what is inside is less than a record */
    bool is_broken; /* OpenSSL has said so: it must not be asked again */
    bool is_cut;
    bool is_flooded;      /* too many records came that carry nothing */
    int fills_left;       /* until this read has to return; INT_MAX: a handshake, which OpenSSL bounds itself */
    int64_t barren_bytes; /* what may still come without bytes among it */
    ssize_t end;          /* END or BROKEN, once the peer's direction has come to it; else 1 */
};

typedef struct weir_sock_tls weir_sock_tls_t;

SSL *weir_sock_ssl(const weir_sock_t *sock)
{
    return sock->tls != NULL ? sock->tls->ssl : NULL;
}

/* ---- announcing ---- */

static bool is_due(const weir_sock_tls_t *tls)
{
    return tls->sock->is_reading && (tls->end <= 0 || (!tls->is_hungry && SSL_has_pending(tls->ssl) == 1));
}

static void on_again(weir_letter_t *letter)
{
    weir_sock_tls_t *tls = WEIR_AROUND(letter, weir_sock_tls_t, again);

    tls->is_posted = false;
    if (!is_due(tls))
        return;
    weir_loop_tick(tls->sock->loop);
    tls->sock->on_readable(tls->sock);
}

void weir_sock_tls_announce(weir_sock_t *sock)
{
    weir_sock_tls_t *tls = sock->tls;

    if (tls->is_posted || !is_due(tls))
        return;
    tls->is_posted = true;
    weir_loop_post(sock->loop, &tls->again);
}

void weir_sock_tls_on_readable(weir_sock_t *sock)
{
    sock->tls->is_hungry = false;
}

/* ---- records that carry nothing ---- */

/*
 * OpenSSL goes from record to record until one has bytes for us: a peer that sends nothing but KeyUpdates (RFC 8446 §4.6.3)
 * could keep a thread in there for seconds. So it is told that the kernel has no more when it has asked often enough.
 */
static long on_bio(BIO *bio, int what, const char *bytes, size_t len, int argi, long argl, int result, size_t *processed)
{
    weir_sock_tls_t *tls = (weir_sock_tls_t *)(void *)BIO_get_callback_arg(bio);

    if (what == BIO_CB_READ && tls->fills_left-- <= 0) {
        BIO_clear_retry_flags(bio);
        BIO_set_retry_read(bio);
        return -1;
    }
    if (what == (BIO_CB_READ | BIO_CB_RETURN) && result > 0 && processed != NULL)
        tls->barren_bytes -= (int64_t)*processed;
    return result;
}

static void watch_fills(weir_sock_tls_t *tls)
{
    BIO *bio = SSL_get_rbio(tls->ssl);

    tls->fills_left = INT_MAX;
    tls->barren_bytes = BARREN_BYTES;
    BIO_set_callback_arg(bio, (char *)(void *)tls);
    BIO_set_callback_ex(bio, on_bio);
}

static void earn(weir_sock_tls_t *tls, size_t got)
{
    int64_t left = tls->barren_bytes + (int64_t)got * EARNED_TIMES;

    tls->barren_bytes = left < BARREN_BYTES ? left : BARREN_BYTES;
}

bool weir_sock_tls_is_flooded(const weir_sock_t *sock)
{
    return sock->tls != NULL && sock->tls->is_flooded;
}

/* ---- life ---- */

void weir_sock_tls_prepare(SSL_CTX *context)
{
    SSL_CTX_set_options(context, OPTIONS);
    SSL_CTX_set_mode(context, MODES);
    SSL_CTX_set_read_ahead(context, 1); /* a record by one read(2), not two */
}

void weir_sock_tls_prepare_one(SSL *ssl)
{
    SSL_set_options(ssl, OPTIONS);
    SSL_set_mode(ssl, MODES);
    SSL_set_read_ahead(ssl, 1);
    (void)SSL_set_max_early_data(ssl, 0); /* nobody here reads any: a ticket must not promise it */
}

void weir_sock_tls_begin(weir_sock_t *sock, SSL *ssl)
{
    WEIR_MUST(sock->tls == NULL && SSL_set_fd(ssl, sock->fd) == 1);
    weir_sock_tls_t *tls = calloc(1, sizeof(*tls));
    WEIR_MUST(tls != NULL);
    tls->ssl = ssl;
    tls->sock = sock;
    tls->end = 1;
    watch_fills(tls);
    tls->again.open = on_again;
    weir_list_init(&tls->again.link);
    sock->tls = tls;
}

bool weir_sock_tls_is_at_rest(const weir_sock_t *sock)
{
    return weir_list_is_empty(&sock->tls->again.link) && !weir_timer_is_set(&sock->tls->clog);
}

void weir_sock_tls_move(weir_sock_t *to, weir_sock_t *from)
{
    to->tls = from->tls;
    from->tls = NULL;
    if (to->tls != NULL)
        to->tls->sock = to;
}

void weir_sock_tls_free(weir_sock_t *sock)
{
    weir_sock_tls_t *tls = sock->tls;

    sock->tls = NULL;
    weir_list_remove(&tls->again.link);
    weir_timer_cancel(&tls->clog);
    SSL_free(tls->ssl);
    free(tls);
}

/* What OpenSSL's refusal means. Its queue of errors is the thread's: each call starts with an empty one. */
static ssize_t why(weir_sock_tls_t *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return WEIR_SOCK_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return WEIR_SOCK_END;
    default:
        tls->is_broken = true;
        return WEIR_SOCK_BROKEN;
    }
}

weir_handshake_t weir_sock_tls_handshake(weir_sock_t *sock)
{
    weir_sock_tls_t *tls = sock->tls;

    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    tls->is_hungry = result != 1;
    if (result == 1) {
        tls->barren_bytes = BARREN_BYTES;
        return WEIR_HANDSHAKE_DONE;
    }
    if (why(tls, result) != WEIR_SOCK_BLOCKED)
        return WEIR_HANDSHAKE_FAILED;
    if (SSL_want_write(tls->ssl))
        weir_sock_await_writable(sock);
    return WEIR_HANDSHAKE_BLOCKED;
}

/* ---- reading ---- */

static void on_clog_due(weir_timer_t *timer)
{
    weir_sock_mute(WEIR_AROUND(timer, weir_sock_tls_t, clog)->sock, false);
}

/* What follows a read that got nothing. */
static ssize_t stop_reading(weir_sock_tls_t *tls, int result)
{
    ssize_t end = why(tls, result);

    if (end == WEIR_SOCK_BLOCKED && tls->barren_bytes < 0) {
        tls->is_flooded = tls->is_broken = true;
        end = WEIR_SOCK_BROKEN;
    }
    if (end != WEIR_SOCK_BLOCKED) {
        tls->end = end;
        return end;
    }
    tls->is_hungry = true;
    if (SSL_want_write(tls->ssl)) { /* the answer to a KeyUpdate: as long as it does not go out, readable means nothing */
        weir_sock_mute(tls->sock, true);
        weir_timer_set(tls->sock->loop, &tls->clog, CLOG_MS, on_clog_due);
    }
    return end;
}

/* A record at a time, as long as there is room and another one is likely to be there. */
ssize_t weir_sock_tls_read(weir_sock_t *sock, char *buffer, size_t capacity)
{
    weir_sock_tls_t *tls = sock->tls;
    size_t total = 0, got = 0;

    if (tls->end <= 0)
        return tls->end;
    ERR_clear_error();
    do {
        tls->fills_left = FILLS_MOST;
        int result = SSL_read_ex(tls->ssl, buffer + total, capacity - total, &got);
        if (result != 1) {
            ssize_t end = stop_reading(tls, result);
            if (total == 0)
                return end;
            break;
        }
        total += got;
        earn(tls, got);
    } while (total < capacity && (got == RECORD_BYTES || SSL_has_pending(tls->ssl) == 1));
    weir_sock_tls_announce(sock);
    return (ssize_t)total;
}

ssize_t weir_sock_tls_peek(weir_sock_t *sock, char *buffer, size_t capacity)
{
    weir_sock_tls_t *tls = sock->tls;
    size_t got;

    if (tls->end <= 0)
        return tls->end;
    ERR_clear_error();
    tls->fills_left = FILLS_MOST;
    int result = SSL_peek_ex(tls->ssl, buffer, capacity, &got);
    return result == 1 ? (ssize_t)got : stop_reading(tls, result);
}

/* ---- writing ---- */

/* Where in a list of pieces a write stands. */
typedef struct cursor {
    const struct iovec *at;
    int left;      /* pieces, the present one included */
    size_t offset; /* in the present one */
} cursor_t;

static void advance(cursor_t *cursor, size_t count)
{
    cursor->offset += count;
    while (cursor->left > 0 && cursor->offset >= cursor->at->iov_len) {
        cursor->offset -= cursor->at->iov_len;
        cursor->at++;
        cursor->left--;
    }
}

/* The bytes of the next record: as they lie there if one piece has enough of them, else collected in `room`. */
static weir_span_t next_record(const cursor_t *from, char room[RECORD_BYTES])
{
    cursor_t cursor = *from;
    const char *base = (const char *)cursor.at->iov_base + cursor.offset;
    size_t len = cursor.at->iov_len - cursor.offset, collected = 0;

    if (len >= RECORD_BYTES || cursor.left == 1)
        return (weir_span_t){base, len < RECORD_BYTES ? len : RECORD_BYTES};
    while (cursor.left > 0 && collected < RECORD_BYTES) {
        base = (const char *)cursor.at->iov_base + cursor.offset;
        len = cursor.at->iov_len - cursor.offset;
        len = len < RECORD_BYTES - collected ? len : RECORD_BYTES - collected;
        memcpy(room + collected, base, len);
        collected += len;
        advance(&cursor, len);
    }
    return (weir_span_t){room, collected};
}

ssize_t weir_sock_tls_write(weir_sock_t *sock, const struct iovec *pieces, int count)
{
    weir_sock_tls_t *tls = sock->tls;
    char room[RECORD_BYTES];
    cursor_t cursor = {pieces, count, 0};
    size_t total = 0, taken;

    if (tls->is_broken)
        return WEIR_SOCK_BROKEN;
    ERR_clear_error();
    for (advance(&cursor, 0); cursor.left > 0; advance(&cursor, taken)) {
        weir_span_t record = next_record(&cursor, room);
        int result = SSL_write_ex(tls->ssl, record.base, record.len, &taken);
        if (result != 1) {
            ssize_t end = why(tls, result) == WEIR_SOCK_BLOCKED ? WEIR_SOCK_BLOCKED : WEIR_SOCK_BROKEN;
            return total > 0 ? (ssize_t)total : end;
        }
        total += taken;
    }
    return (ssize_t)total;
}

/* ---- ending ---- */

void weir_sock_tls_cut(weir_sock_t *sock)
{
    sock->tls->is_cut = true;
}

void weir_sock_tls_end(weir_sock_t *sock)
{
    weir_sock_tls_t *tls = sock->tls;
    bool is_said = (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) != 0;

    if (is_said || tls->is_cut || tls->is_broken || !SSL_is_init_finished(tls->ssl))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}
