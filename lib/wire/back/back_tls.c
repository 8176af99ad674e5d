/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_tls.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/base/fault.h"
#include "lib/base/must.h"
#include "lib/walk/weir_backend_tls.h"
#include "lib/wire/tls/tls_cert.h"

enum { SESSIONS_MAX = 1024 }; /* kept per weir_backend_tls_t; beyond it the one that was used least recently goes */

struct weir_backend_tls {
    atomic_uint holders;
    SSL_CTX *context;
    char *server_name; /* NULL: the host's */
    bool is_unverified;
    pthread_mutex_t lock;
    weir_list_t sessions; /* under the lock; the one used last at the end */
    size_t session_count;
};

/* A session with one address under one name. */
typedef struct session {
    weir_list_t link;
    SSL_SESSION *session;
    size_t key_len;
    char key[];
} session_t;

/* ---- sessions ---- */

/* What a session belongs to: the connection's ex data, freed with it. */
typedef struct session_key {
    size_t len;
    char bytes[];
} session_key_t;

static int key_index = -1, tls_index = -1;
static pthread_once_t has_indices = PTHREAD_ONCE_INIT;

static void free_key(void *parent, void *key, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
    free(key);
}

static void make_indices(void)
{
    key_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_key);
    tls_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    WEIR_MUST(key_index != -1 && tls_index != -1);
}

static session_key_t *key_of(const weir_target_t *target, const char *name)
{
    size_t name_len = strlen(name);
    session_key_t *key = malloc(sizeof(*key) + target->address_len + name_len);

    WEIR_MUST(key != NULL);
    key->len = target->address_len + name_len;
    memcpy(key->bytes, &target->address, target->address_len);
    memcpy(key->bytes + target->address_len, name, name_len);
    return key;
}

static session_t *find_session(const weir_backend_tls_t *tls, const session_key_t *key)
{
    for (weir_list_t *node = tls->sessions.prev; node != &tls->sessions; node = node->prev) {
        session_t *session = WEIR_AROUND(node, session_t, link);
        if (session->key_len == key->len && memcmp(session->key, key->bytes, key->len) == 0)
            return session;
    }
    return NULL;
}

static void drop_session(weir_backend_tls_t *tls, session_t *session)
{
    weir_list_remove(&session->link);
    tls->session_count--;
    SSL_SESSION_free(session->session);
    free(session);
}

/* A ticket has come; the session is ours if we return 1. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    weir_backend_tls_t *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_index);
    const session_key_t *key = SSL_get_ex_data(ssl, key_index);
    session_t *fresh = malloc(sizeof(*fresh) + key->len);

    WEIR_MUST(fresh != NULL);
    fresh->session = session;
    fresh->key_len = key->len;
    memcpy(fresh->key, key->bytes, key->len);
    pthread_mutex_lock(&tls->lock);
    session_t *old = find_session(tls, key);
    if (old == NULL && tls->session_count == SESSIONS_MAX)
        old = WEIR_AROUND(tls->sessions.next, session_t, link);
    if (old != NULL)
        drop_session(tls, old);
    weir_list_append(&tls->sessions, &fresh->link);
    tls->session_count++;
    pthread_mutex_unlock(&tls->lock);
    return 1;
}

/* A session is used once (RFC 8446 §C.4); the backend gives a new one. */
static void resume(weir_backend_tls_t *tls, SSL *ssl, const session_key_t *key)
{
    pthread_mutex_lock(&tls->lock);
    session_t *session = find_session(tls, key);
    if (session != NULL) {
        (void)SSL_set_session(ssl, session->session);
        if (SSL_SESSION_get_protocol_version(session->session) == TLS1_3_VERSION)
            drop_session(tls, session);
    }
    pthread_mutex_unlock(&tls->lock);
}

/* ---- making ---- */

static bool set_certificate(SSL_CTX *context, const weir_backend_tls_settings_t *settings, char problem[WEIR_TLS_PROBLEM_BYTES])
{
    if (settings->certificate_file == NULL)
        return true;
    if (settings->key_file == NULL) {
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "a certificate needs its key");
        return false;
    }
    weir_tls_cert_t *cert = weir_tls_cert_load(settings->certificate_file, settings->key_file, problem);
    if (cert == NULL)
        return false;
    bool is_used = weir_tls_cert_use_as_default(cert, context);
    weir_tls_cert_release(&cert);
    return is_used || weir_tls_explain(problem, settings->certificate_file, "is not wanted by OpenSSL");
}

static bool set_trust(SSL_CTX *context, const weir_backend_tls_settings_t *settings, char problem[WEIR_TLS_PROBLEM_BYTES])
{
    if (settings->is_unverified)
        return true;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (settings->ca_file == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1 || weir_tls_explain(problem, "OpenSSL", "has no authorities");
    return SSL_CTX_load_verify_file(context, settings->ca_file) == 1 ||
           weir_tls_explain(problem, settings->ca_file, "is no PEM file of certificates");
}

static weir_backend_tls_t *create(const weir_backend_tls_settings_t *settings)
{
    weir_backend_tls_t *tls = calloc(1, sizeof(*tls));

    WEIR_MUST(tls != NULL && pthread_once(&has_indices, make_indices) == 0);
    atomic_init(&tls->holders, 1);
    weir_list_init(&tls->sessions);
    WEIR_MUST(pthread_mutex_init(&tls->lock, NULL) == 0);
    tls->is_unverified = settings->is_unverified;
    tls->server_name = settings->server_name != NULL ? strdup(settings->server_name) : NULL;
    SSL_CTX *context = tls->context = SSL_CTX_new(TLS_client_method());
    WEIR_MUST(context != NULL && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    weir_sock_tls_prepare(context);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    WEIR_MUST(SSL_CTX_set_ex_data(context, tls_index, tls) == 1);
    return tls;
}

weir_backend_tls_t *weir_backend_tls_create(const weir_backend_tls_settings_t *settings, char *problem, size_t problem_bytes)
{
    char sentence[WEIR_TLS_PROBLEM_BYTES] = "";
    weir_backend_tls_settings_t known = {0};

    memcpy(&known, settings, settings->size < sizeof(known) ? settings->size : sizeof(known));
    ERR_clear_error();
    weir_backend_tls_t *tls = create(&known);
    if (set_trust(tls->context, &known, sentence) && set_certificate(tls->context, &known, sentence))
        return tls;
    snprintf(problem, problem_bytes, "%s", sentence);
    weir_backend_tls_release(tls);
    return NULL;
}

static weir_backend_tls_t *hold(weir_backend_tls_t *tls)
{
    atomic_fetch_add_explicit(&tls->holders, 1, memory_order_relaxed);
    return tls;
}

void weir_backend_tls_release(weir_backend_tls_t *tls)
{
    if (tls == NULL || atomic_fetch_sub(&tls->holders, 1) != 1)
        return;
    while (!weir_list_is_empty(&tls->sessions))
        drop_session(tls, WEIR_AROUND(tls->sessions.next, session_t, link));
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls->server_name);
    free(tls);
}

/* ---- connections ---- */

const char *weir_back_tls_name(const weir_target_t *target)
{
    if (target->tls == NULL)
        return NULL;
    if (target->tls->server_name != NULL)
        return target->tls->server_name;
    return target->tls_name.base != NULL ? target->tls_name.base : "";
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* Who it must be. SNI is for names only (RFC 6066 §3). */
static bool set_name(SSL *ssl, const weir_backend_tls_t *tls, const char *name)
{
    if (name[0] == '\0')
        return tls->is_unverified; /* nobody to be verified */
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

static bool set_alpn(SSL *ssl, const char *alpn)
{
    unsigned char list[16];
    size_t len = strlen(alpn);

    WEIR_MUST(len < sizeof(list));
    list[0] = (unsigned char)len;
    memcpy(list + 1, alpn, len);
    return SSL_set_alpn_protos(ssl, list, (unsigned)len + 1) == 0;
}

const weir_fault_t *weir_back_tls_begin(weir_sock_t *sock, const weir_target_t *target, const char *alpn)
{
    const char *name = weir_back_tls_name(target);
    SSL *ssl = SSL_new(target->tls->context);

    WEIR_MUST(ssl != NULL);
    ERR_clear_error();
    if (!set_name(ssl, target->tls, name) || !set_alpn(ssl, alpn)) {
        ERR_clear_error();
        SSL_free(ssl);
        return &weir_fault_backend_tls_name;
    }
    session_key_t *key = key_of(target, name);
    WEIR_MUST(SSL_set_ex_data(ssl, key_index, key) == 1);
    resume(target->tls, ssl, key);
    SSL_set_connect_state(ssl);
    weir_sock_tls_begin(sock, ssl);
    return NULL;
}

const weir_fault_t *weir_back_tls_fault(const weir_sock_t *sock)
{
    long result = SSL_get_verify_result(weir_sock_ssl(sock));

    ERR_clear_error();
    if (SSL_get_verify_mode(weir_sock_ssl(sock)) == SSL_VERIFY_NONE || result == X509_V_OK)
        return &weir_fault_backend_tls_failed;
    if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return &weir_fault_backend_tls_name;
    if (result == X509_V_ERR_CERT_HAS_EXPIRED || result == X509_V_ERR_CERT_NOT_YET_VALID)
        return &weir_fault_backend_tls_expired;
    return &weir_fault_backend_tls_untrusted;
}

bool weir_back_tls_speaks(const weir_sock_t *sock, const char *alpn)
{
    const unsigned char *chosen;
    unsigned len;

    SSL_get0_alpn_selected(weir_sock_ssl(sock), &chosen, &len);
    return len == strlen(alpn) && memcmp(chosen, alpn, len) == 0;
}

void weir_back_tls_init(weir_back_tls_t *back_tls, const weir_target_t *target)
{
    if (target->tls == NULL)
        return;
    back_tls->tls = hold(target->tls);
    back_tls->name = strdup(weir_back_tls_name(target));
    WEIR_MUST(back_tls->name != NULL);
}

void weir_back_tls_finish(weir_back_tls_t *back_tls)
{
    weir_backend_tls_release(back_tls->tls);
    free(back_tls->name);
    *back_tls = (weir_back_tls_t){0};
}
