/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_ocsp.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ocsp.h>

#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/wire/sock/dial.h"

enum {
    TIMEOUT_S = 5, /* OpenSSL goes on trying for so long, whatever goes wrong */
    AGAIN_S = 60,  /* as long as there is no answer to show */
    LOOK_S = 60,   /* how often certificates that nobody uses any more are looked for */
    RESPONSE_BYTES_MAX = 65536,
    SKEW_S = 300, /* clocks may differ */
};

typedef struct watched {
    weir_list_t link;
    weir_tls_cert_t *cert; /* held */
    uint32_t interval_s, max_failures, failures;
    time_t next_at;
    bool has_answer;
} watched_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static weir_list_t all = {&all, &all};
static pthread_t thread;
static bool is_running, must_stop;
static int give_up_fd = -1; /* an eventfd: stop() has been called              */
static int asked_fd = -1;   /* the connection with a responder that is waited for */

/* ---- one answer ---- */

/* Everything that one question needs; zeroed, and freed as a whole. */
typedef struct question {
    X509 *leaf, *issuer; /* borrowed */
    char *host, *port, *path;
    OCSP_REQUEST *request;
    BIO *body, *answer, *connection;
    OCSP_RESPONSE *response;
    OCSP_BASICRESP *basic;
    X509_STORE *store;
    time_t until;
    const char *problem; /* NULL: OpenSSL knows it */
} question_t;

static void finish(question_t *q)
{
    OPENSSL_free(q->host);
    OPENSSL_free(q->port);
    OPENSSL_free(q->path);
    OCSP_REQUEST_free(q->request);
    BIO_free(q->body);
    BIO_free(q->answer);
    BIO_free(q->connection);
    OCSP_RESPONSE_free(q->response);
    OCSP_BASICRESP_free(q->basic);
    X509_STORE_free(q->store);
}

static bool fail(question_t *q, const char *problem)
{
    q->problem = problem;
    return false;
}

static bool parse_address(question_t *q, const char *url)
{
    int is_https = 0;

    if (OSSL_HTTP_parse_url(url, &is_https, NULL, &q->host, &q->port, NULL, &q->path, NULL, NULL) != 1 || is_https)
        return fail(q, "the responder's address is no http:// address");
    return true;
}

/* Or NULL: from then on it is not stop()'s any more. */
static void watch_connection(BIO *connection)
{
    pthread_mutex_lock(&lock);
    asked_fd = connection != NULL ? (int)BIO_get_fd(connection, NULL) : -1;
    if (asked_fd != -1 && must_stop)
        shutdown(asked_fd, SHUT_RDWR);
    pthread_mutex_unlock(&lock);
}

static bool ask(question_t *q)
{
    q->request = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, q->leaf, q->issuer);
    if (q->request == NULL || id == NULL || OCSP_request_add0_id(q->request, id) == NULL)
        return fail(q, "the certificate does not fit its issuer");
    q->body = BIO_new(BIO_s_mem());
    WEIR_MUST(q->body != NULL && ASN1_item_i2d_bio(ASN1_ITEM_rptr(OCSP_REQUEST), q->body, q->request) == 1);
    const int fd = weir_dial(q->host, q->port, give_up_fd, TIMEOUT_S * 1000);
    q->connection = fd != -1 ? BIO_new_socket(fd, BIO_CLOSE) : NULL;
    if (q->connection == NULL)
        return fail(q, "the responder does not answer");
    watch_connection(q->connection);
    q->answer = OSSL_HTTP_transfer(NULL, q->host, q->port, q->path, 0, NULL, NULL, q->connection, q->connection, NULL, NULL, 0,
                                   NULL, "application/ocsp-request", q->body, "application/ocsp-response", 1,
                                   RESPONSE_BYTES_MAX, TIMEOUT_S, 0);
    watch_connection(NULL);
    return q->answer != NULL || fail(q, "the responder does not answer");
}

/* In one piece, as it will be shown. */
static weir_span_t bytes_of(const question_t *q)
{
    char *base;
    long len = BIO_get_mem_data(q->answer, &base);

    return (weir_span_t){base, len > 0 ? (size_t)len : 0};
}

static bool verify(question_t *q)
{
    q->store = X509_STORE_new();
    WEIR_MUST(q->store != NULL && X509_STORE_add_cert(q->store, q->issuer) == 1 &&
              X509_STORE_set_flags(q->store, X509_V_FLAG_PARTIAL_CHAIN) == 1);
    STACK_OF(X509) *signers =
        sk_X509_new_null(); /* an answer need not bring its signer's certificate if that is the issuer's */
    WEIR_MUST(signers != NULL && sk_X509_push(signers, q->issuer) > 0);
    bool is_signed = OCSP_basic_verify(q->basic, signers, q->store, 0) == 1;
    sk_X509_free(signers);
    return is_signed || fail(q, "the answer is not signed by the authority");
}

static time_t time_of(const ASN1_GENERALIZEDTIME *when)
{
    struct tm parts;

    return when != NULL && ASN1_TIME_to_tm(when, &parts) == 1 ? timegm(&parts) : 0;
}

/* Whether it is about our certificate, by whichever digest. */
static bool is_about(const question_t *q, const OCSP_SINGLERESP *single)
{
    ASN1_OBJECT *digest;
    OCSP_CERTID *theirs = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single); /* only looked at */
    const EVP_MD *known = OCSP_id_get0_info(NULL, &digest, NULL, NULL, theirs) == 1 ? EVP_get_digestbyobj(digest) : NULL;
    OCSP_CERTID *ours = known != NULL ? OCSP_cert_to_id(known, q->leaf, q->issuer) : NULL;
    bool is_equal = ours != NULL && OCSP_id_cmp(ours, theirs) == 0;

    OCSP_CERTID_free(ours);
    return is_equal;
}

static bool judge(question_t *q)
{
    int count = OCSP_resp_count(q->basic), at = 0, reason;
    ASN1_GENERALIZEDTIME *revoked_at, *from, *until;

    while (at < count && !is_about(q, OCSP_resp_get0(q->basic, at)))
        at++;
    if (at == count)
        return fail(q, "the answer is about another certificate");
    int status = OCSP_single_get0_status(OCSP_resp_get0(q->basic, at), &reason, &revoked_at, &from, &until);
    if (OCSP_check_validity(from, until, SKEW_S, -1) != 1)
        return fail(q, "the answer is not of this time");
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return fail(q, status == V_OCSP_CERTSTATUS_REVOKED ? "the certificate has been revoked"
                                                           : "the authority does not know it");
    q->until = time_of(until);
    return true;
}

static bool read_answer(question_t *q)
{
    weir_span_t bytes = bytes_of(q);
    const unsigned char *at = (const unsigned char *)bytes.base;

    q->response = d2i_OCSP_RESPONSE(NULL, &at, (long)bytes.len);
    if (q->response == NULL)
        return fail(q, "the answer cannot be read");
    if (OCSP_response_status(q->response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return fail(q, "the responder refuses to answer");
    q->basic = OCSP_response_get1_basic(q->response);
    return (q->basic != NULL || fail(q, "the answer cannot be read")) && verify(q) && judge(q);
}

/* NULL if there is none. */
static char *responder_of(X509 *leaf)
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(leaf);
    char *url = sk_OPENSSL_STRING_num(urls) > 0 ? strdup(sk_OPENSSL_STRING_value(urls, 0)) : NULL;
    X509_email_free(urls);
    return url;
}

/* Asks, and puts the answer into the certificate. A sentence on failure. */
static const char *refresh(weir_tls_cert_t *cert, time_t *out_until)
{
    question_t q = {.leaf = weir_tls_cert_leaf(cert), .issuer = weir_tls_cert_issuer(cert)};
    char *url = responder_of(q.leaf);

    ERR_clear_error();
    bool is_good = parse_address(&q, url) && ask(&q) && read_answer(&q);
    if (is_good)
        weir_tls_cert_set_staple(cert, bytes_of(&q), q.until);
    *out_until = q.until;
    finish(&q);
    free(url);
    ERR_clear_error();
    return is_good ? NULL : q.problem;
}

/* ---- an answer that somebody else has fetched ---- */

static bool read_file(question_t *q, const char *path)
{
    char block[4096];
    int count;
    BIO *file = BIO_new_file(path, "r");

    if (file == NULL)
        return fail(q, "it cannot be opened");
    q->answer = BIO_new(BIO_s_mem());
    WEIR_MUST(q->answer != NULL);
    while (bytes_of(q).len <= RESPONSE_BYTES_MAX && (count = BIO_read(file, block, sizeof(block))) > 0)
        WEIR_MUST(BIO_write(q->answer, block, count) == count);
    BIO_free(file);
    return bytes_of(q).len <= RESPONSE_BYTES_MAX || fail(q, "it is too long");
}

const char *weir_tls_ocsp_show_file(weir_tls_cert_t *cert, const char *path)
{
    question_t q = {.leaf = weir_tls_cert_leaf(cert), .issuer = weir_tls_cert_issuer(cert)};

    if (q.issuer == NULL)
        return "the certificate's issuer is not behind it in its file";
    bool is_good = read_file(&q, path) && read_answer(&q);
    if (is_good)
        weir_tls_cert_set_staple(cert, bytes_of(&q), q.until);
    finish(&q);
    ERR_clear_error();
    return is_good ? NULL : q.problem;
}

/* ---- the thread ---- */

/* Under the lock. */
static void on_refreshed(watched_t *watched, const char *problem, time_t until)
{
    time_t now = time(NULL);

    watched->next_at = now + watched->interval_s;
    if (problem != NULL && must_stop)
        return; /* it was not the responder's fault */
    if (problem == NULL) {
        watched->has_answer = true;
        watched->failures = 0;
        if (until > now && now + (until - now) / 2 < watched->next_at)
            watched->next_at = now + (until - now) / 2 + 1;
        return;
    }
    weir_log("OCSP: %s: %s", weir_tls_cert_file(watched->cert), problem);
    if (!watched->has_answer && watched->interval_s > AGAIN_S)
        watched->next_at = now + AGAIN_S;
    if (watched->failures++ < watched->max_failures)
        return;
    watched->has_answer = false;
    weir_tls_cert_set_staple(watched->cert, (weir_span_t){NULL, 0}, 0);
}

static void forget(watched_t *watched)
{
    weir_list_remove(&watched->link);
    weir_tls_cert_release(&watched->cert);
    free(watched);
}

/* Under the lock: the next whose time has come; those that only we hold are forgotten on the way. */
static watched_t *next_due(time_t now, time_t *out_soonest)
{
    watched_t *due = NULL;

    *out_soonest = now + LOOK_S;
    for (weir_list_t *node = all.next, *next; node != &all; node = next) {
        watched_t *watched = WEIR_AROUND(node, watched_t, link);
        next = node->next;
        if (weir_tls_cert_is_last(watched->cert))
            forget(watched);
        else if (watched->next_at <= now)
            due = watched;
        else if (watched->next_at < *out_soonest)
            *out_soonest = watched->next_at;
    }
    return due;
}

/* The lock is not held while a responder is asked; only this thread removes what is watched. */
static void *run(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!must_stop) {
        time_t soonest, until = 0;
        watched_t *due = next_due(time(NULL), &soonest);
        if (due == NULL) {
            const struct timespec at = {.tv_sec = soonest};
            (void)pthread_cond_timedwait(&changed, &lock, &at);
            continue;
        }
        pthread_mutex_unlock(&lock);
        const char *problem = refresh(due->cert, &until);
        pthread_mutex_lock(&lock);
        on_refreshed(due, problem, until);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* A new configuration brings its certificates anew: what is known of them is still true. Under the lock. */
static void inherit(watched_t *watched)
{
    X509 *leaf = weir_tls_cert_leaf(watched->cert);

    for (weir_list_t *node = all.next; node != &all; node = node->next) {
        watched_t *other = WEIR_AROUND(node, watched_t, link);
        if (!other->has_answer || X509_cmp(weir_tls_cert_leaf(other->cert), leaf) != 0)
            continue;
        weir_tls_cert_inherit_staple(watched->cert, other->cert);
        watched->has_answer = true;
        watched->next_at = other->next_at;
        watched->failures = other->failures;
        return;
    }
}

void weir_tls_ocsp_watch(weir_tls_cert_t *cert, uint32_t interval_s, uint32_t max_failures)
{
    char *url = responder_of(weir_tls_cert_leaf(cert));
    bool can_ask = url != NULL && weir_tls_cert_issuer(cert) != NULL;

    free(url);
    if (!can_ask)
        return;
    watched_t *watched = calloc(1, sizeof(*watched));
    WEIR_MUST(watched != NULL);
    watched->cert = weir_tls_cert_hold(cert);
    watched->interval_s = interval_s;
    watched->max_failures = max_failures;
    pthread_mutex_lock(&lock);
    inherit(watched);
    weir_list_append(&all, &watched->link);
    if (!is_running) {
        give_up_fd = eventfd(0, EFD_CLOEXEC);
        WEIR_MUST(give_up_fd != -1);
        is_running = pthread_create(&thread, NULL, run, NULL) == 0;
    }
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

void weir_tls_ocsp_stop(void)
{
    pthread_mutex_lock(&lock);
    bool was_running = is_running;
    must_stop = true;
    pthread_cond_signal(&changed);
    if (asked_fd != -1)
        shutdown(asked_fd, SHUT_RDWR);
    pthread_mutex_unlock(&lock);
    if (was_running) {
        (void)eventfd_write(give_up_fd, 1);
        pthread_join(thread, NULL);
        close(give_up_fd);
    }
    is_running = must_stop = false;
    while (!weir_list_is_empty(&all))
        forget(WEIR_AROUND(all.next, watched_t, link));
}
