/* SPDX-License-Identifier: MIT */
#include "lib/wire/worker/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/worker_request.h"
#include "lib/walk/steward.h"
#include "lib/wire/back/back_worker_http1.h"
#include "lib/wire/front/front_http1.h"
#include "lib/wire/loop/generation.h"
#include "lib/wire/worker/proof.h"

enum {
    SWITCHING = 101,
    BAD = 400,
    UNAUTHORIZED = 401,
    FORBIDDEN = 403,
    UPGRADE_REQUIRED = 426,
    TOO_MANY = 429,
    TOO_LONG = 431,
    UNAVAILABLE = 503,
    HEAD_BYTES = 1024,
    BURST_SECONDS = 2,
    TRIES_FOR_ONE = 10,
    US_PER_S = 1000000,
};

typedef struct workers_handler {
    h2o_handler_t super;
    const weir_workers_settings_t *settings;
} workers_handler_t;

typedef struct registration {
    weir_context_t *home; /* held: with it the whole generation stays */
    const weir_workers_settings_t *settings;
    h2o_req_t *req;             /* NULL: gone */
    struct registration **link; /* in the request's pool; as long as that is there */
    weir_letter_t letter;       /* there, then back */
    weir_worker_words_t words;
    char upgrade[16];
    uint16_t status;
    char why[WEIR_WORKERS_WHY_BYTES];
} registration_t;

/* ---- refusals ---- */

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, value, strlen(value));
}

static const char *reason_of(uint16_t status)
{
    switch (status) {
    case BAD:
        return "Bad Request";
    case UNAUTHORIZED:
        return "Unauthorized";
    case FORBIDDEN:
        return "Forbidden";
    case UPGRADE_REQUIRED:
        return "Upgrade Required";
    case TOO_MANY:
        return "Too Many Requests";
    case TOO_LONG:
        return "Request Header Fields Too Large";
    case UNAVAILABLE:
        return "Service Unavailable";
    default:
        return status == 404 ? "Not Found" : status == 409 ? "Conflict" : "Refused";
    }
}

/* Every status tells a worker what to do: docs/workers.md. */
static void refuse(h2o_req_t *req, uint16_t status, const char *why)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t text = h2o_concat(&req->pool, h2o_iovec_init(why, strlen(why)), h2o_iovec_init(H2O_STRLIT("\n")));

    weir_metrics_add(WEIR_CELL_worker_refused, 1);
    req->res.status = status;
    req->res.reason = reason_of(status);
    req->res.content_length = text.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("text/plain; charset=utf-8"));
    add_header(req, "worker-protocol", "1");
    if (status == UNAUTHORIZED)
        add_header(req, "www-authenticate", "Bearer");
    if (status == UPGRADE_REQUIRED)
        add_header(req, "upgrade", "ptth");
    if (status == TOO_MANY || status == UNAVAILABLE)
        add_header(req, "retry-after", "1");
    h2o_start_response(req, &generator);
    h2o_send(req, &text, 1, H2O_SEND_STATE_FINAL);
}

/* ---- what the endpoint itself looks at ---- */

static bool is_of_this_machine(const weir_peer_t *peer)
{
    if (peer->is_proxied) /* of whom a header tells, and not the socket */
        return false;
    if (peer->address.any.sa_family == AF_UNIX)
        return true;
    if (peer->address.any.sa_family == AF_INET)
        return ntohl(peer->address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&peer->address.v6.sin6_addr);
}

/* NULL: it may go on. */
static const char *is_wrong_way(const weir_workers_settings_t *settings, const weir_peer_t *peer,
                                const weir_worker_words_t *words)
{
    const bool is_here = is_of_this_machine(peer);

    if (!settings->needs_token && !settings->needs_certificate && !is_here && !settings->is_open)
        return "without a proof workers are taken from this machine only";
    if (words->has_token && !is_here && !peer->is_https && !settings->takes_clear_tokens)
        return "no tokens over plain TCP: use TLS";
    return NULL;
}

typedef struct bucket {
    pthread_mutex_t lock;
    double left;
    uint64_t at_us; /* 0: it is full */
} bucket_t;

/* Whether there is one more, where so many come a second. */
static bool take_one(bucket_t *bucket, double per_s, uint64_t now_us)
{
    const double most = per_s * BURST_SECONDS;

    pthread_mutex_lock(&bucket->lock);
    bucket->left +=
        bucket->at_us == 0 ? most : (double)(now_us > bucket->at_us ? now_us - bucket->at_us : 0) * per_s / US_PER_S;
    bucket->at_us = now_us;
    if (bucket->left > most)
        bucket->left = most;
    const bool may = bucket->left >= 1;
    bucket->left -= may ? 1 : 0;
    pthread_mutex_unlock(&bucket->lock);
    return may;
}

/* Of all threads together: it is an open port. Who is refused has cost nobody's budget but that of attempts. */
static bucket_t attempts = {.lock = PTHREAD_MUTEX_INITIALIZER}, registrations = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool may_try(const weir_workers_settings_t *settings, uint64_t now_us)
{
    return take_one(&attempts, (double)settings->registrations_per_s * TRIES_FOR_ONE, now_us);
}

static bool may_register(const weir_workers_settings_t *settings, uint64_t now_us)
{
    return take_one(&registrations, settings->registrations_per_s, now_us);
}

/* ---- words ---- */

static void copy(char *to, size_t size, weir_span_t text)
{
    const size_t length = text.len < size ? text.len : size - 1;

    if (length > 0)
        memcpy(to, text.base, length);
    to[length] = '\0';
}

static void copy_domains(const weir_worker_request_t *request, weir_worker_words_t *words)
{
    if (request->domain_count == 0)
        return;
    words->domains = calloc(request->domain_count, sizeof(*words->domains));
    WEIR_MUST(words->domains != NULL);
    for (size_t i = 0; i < request->domain_count; i++) {
        copy(words->domains[i], sizeof(words->domains[i]), request->domains[i]);
        weir_lower_bytes(words->domains[i], words->domains[i], strlen(words->domains[i]));
    }
    words->domain_count = request->domain_count;
}

static bool write_words(const weir_worker_request_t *request, const weir_peer_t *peer, const weir_workers_settings_t *settings,
                        weir_worker_words_t *words)
{
    copy(words->app, sizeof(words->app), request->app);
    copy(words->id, sizeof(words->id), request->id);
    copy(words->version, sizeof(words->version), request->version);
    copy(words->health, sizeof(words->health), request->health);
    copy(words->peer, sizeof(words->peer), peer->text_len > 0 ? weir_peer_text(peer) : WEIR_SPAN("unix:"));
    copy_domains(request, words);
    words->weight = request->weight;
    words->capacity = request->capacity < settings->capacity_most ? request->capacity : settings->capacity_most;
    words->protocol = request->protocol;
    words->has_id = request->id.base != NULL;
    words->needs_token = settings->needs_token;
    words->needs_certificate = settings->needs_certificate;
    words->may_create = !settings->needs_token && !settings->needs_certificate;
    words->has_certificate = weir_worker_is_certified(peer->certificate, request->app);
    return weir_worker_token(request, words);
}

/* ---- the answer ---- */

static const char *alpn_of(weir_protocol_t protocol)
{
    return protocol == WEIR_HTTP1 ? "http%2F1.1" : "h2";
}

/* But for its session, and the end: back_worker_open() adds those. */
static weir_bytes_t head_of(const registration_t *it)
{
    const weir_workers_settings_t *settings = it->settings;
    const char *alpn = alpn_of(it->words.protocol);
    weir_bytes_t head = {0};
    char text[HEAD_BYTES];

    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nALPN: %s\r\nSelected-ALPN: %s\r\n"
             "Worker-Protocol: 1\r\nWorker-Capacity: %u\r\nWorker-Ping: %u\r\nWorker-Loops: %u\r\n",
             it->upgrade, alpn, alpn, it->words.protocol == WEIR_HTTP1 ? 1 : it->words.capacity,
             (settings->connection.ping_ms + 999) / 1000, *settings->loops);
    weir_bytes_append(&head, (weir_span_t){text, strlen(text)});
    if (settings->peers != NULL) {
        weir_bytes_append(&head, WEIR_SPAN("Worker-Peers: "));
        weir_bytes_append(&head, (weir_span_t){settings->peers, strlen(settings->peers)});
        weir_bytes_append(&head, WEIR_SPAN("\r\n"));
    }
    return head;
}

static void welcome(registration_t *it)
{
    weir_loop_t *loop = it->home->loop;
    weir_sock_t sock = {.loop = NULL};

    it->req->res.status = SWITCHING;
    if (!front_http1_surrender(it->req, &sock)) {
        *it->link = NULL;
        refuse(it->req, BAD, "nothing may be sent before the 101 is there");
        return;
    }
    weir_metrics_add(WEIR_CELL_worker_registered, 1);
    weir_bytes_t head = head_of(it);
    if (it->words.protocol == WEIR_HTTP1)
        back_worker_http1_open(loop, &sock, &it->words, &head, &it->settings->connection);
    else
        back_worker_open(loop, &sock, &it->words, &head, it->words.capacity, &it->settings->connection);
}

static void finish(registration_t *it)
{
    weir_context_t *home = it->home;

    weir_worker_words_finish(&it->words);
    free(it);
    home->loop->connection_count--;
    weir_context_release(home);
}

static void on_judged(weir_letter_t *letter)
{
    static weir_log_limit_t limit;
    registration_t *it = WEIR_AROUND(letter, registration_t, letter);

    if (it->req == NULL) {
        finish(it);
        return;
    }
    if (it->status == SWITCHING && it->home->loop->is_draining) {
        it->status = UNAVAILABLE;
        snprintf(it->why, sizeof(it->why), "the proxy drains");
    } else if (it->status == SWITCHING && !may_register(it->settings, weir_loop_now_us(it->home->loop))) {
        it->status = TOO_MANY;
        snprintf(it->why, sizeof(it->why), "too many workers register at a time");
    }
    if (it->status == SWITCHING) {
        welcome(it);
    } else {
        weir_log_limited(&limit, "worker %s of %s (%s) may not register: %u, %s", it->words.has_id ? it->words.id : "-",
                         it->words.app, it->words.peer, it->status, it->why);
        *it->link = NULL;
        refuse(it->req, it->status, it->why);
    }
    finish(it);
}

static void on_steward(weir_letter_t *letter)
{
    registration_t *it = WEIR_AROUND(letter, registration_t, letter);

    it->status = it->settings->judge(&it->words, it->why);
    letter->open = on_judged;
    weir_loop_post(it->home->loop, letter);
}

/* ---- the request ---- */

static void on_request_gone(void *memory)
{
    registration_t **link = memory;

    if (*link != NULL)
        (*link)->req = NULL;
}

static void begin(const workers_handler_t *self, h2o_req_t *req, const weir_worker_request_t *request,
                  const weir_worker_words_t *words)
{
    weir_context_t *home = weir_context_of(req->conn->ctx);
    registration_t *it = calloc(1, sizeof(*it));

    WEIR_MUST(it != NULL);
    it->home = weir_context_hold(home);
    home->loop->connection_count++; /* whoever ends the loop waits for the answer */
    it->settings = self->settings;
    it->req = req;
    it->words = *words;
    copy(it->upgrade, sizeof(it->upgrade), request->upgrade);
    it->link = h2o_mem_alloc_shared(&req->pool, sizeof(*it->link), on_request_gone);
    *it->link = it;
    it->letter.open = on_steward;
    weir_list_init(&it->letter.link);
    weir_loop_post(weir_steward(), &it->letter);
}

static weir_span_t span_of(h2o_iovec_t bytes)
{
    return (weir_span_t){bytes.base, bytes.len};
}

static int on_req(h2o_handler_t *super, h2o_req_t *req)
{
    const workers_handler_t *self = (const workers_handler_t *)(const void *)super;
    const bool is_ours = req->conn->callbacks == &front_http1_callbacks.super;
    const front_http1_stream_t *stream = is_ours ? front_http1_stream_of(req) : NULL;
    const weir_headers_t none = {0};
    const weir_worker_head_t head = {.method = span_of(req->method),
                                     .path = span_of(req->path),
                                     .version = is_ours ? (uint16_t)req->version : 0,
                                     .headers = is_ours ? &stream->headers : &none,
                                     .body = is_ours ? stream->body.framing.kind : WEIR_FRAMING_NONE};
    weir_worker_request_t request;
    weir_worker_words_t words = {.app = ""};
    const char *why;
    const uint16_t status = weir_worker_request_read(&head, &request, &why);

    if (status != 0 || stream == NULL) {
        refuse(req, status, why);
        return 0;
    }
    const weir_peer_t *peer = &stream->conn->client.peer;
    const bool is_readable = write_words(&request, peer, self->settings, &words);
    const char *wrong_way = is_wrong_way(self->settings, peer, &words);
    const weir_loop_t *loop = stream->conn->client.loop;
    if (!is_readable)
        refuse(req, BAD, "the credentials are not APP:TOKEN");
    else if (wrong_way != NULL)
        refuse(req, FORBIDDEN, wrong_way);
    else if (loop->is_draining)
        refuse(req, UNAVAILABLE, "the proxy drains");
    else if (!may_try(self->settings, weir_loop_now_us(loop)))
        refuse(req, TOO_MANY, "too many workers register at a time");
    else {
        begin(self, req, &request, &words);
        return 0;
    }
    weir_worker_words_finish(&words);
    return 0;
}

void weir_workers_register(h2o_pathconf_t *path, const weir_workers_settings_t *settings)
{
    workers_handler_t *self = (workers_handler_t *)(void *)h2o_create_handler(path, sizeof(*self));

    self->super.on_req = on_req;
    self->settings = settings;
}
