/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_cert.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/base/must.h"

struct weir_tls_cert {
    atomic_uint holders;
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    char *file;
    pthread_mutex_t lock;
    unsigned char *staple; /* under the lock; NULL: none */
    size_t staple_len;
    time_t staple_until; /* 0: for ever */
};

/* OpenSSL would ask whoever sits at the terminal. */
static int no_passphrase(char *buffer, int size, int is_writing, void *arg)
{
    return -1;
}

static BIO *open_file(const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    BIO *file = weir_tls_open_file(path);

    if (file != NULL)
        return file;
    int error = errno;
    ERR_clear_error();
    snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s cannot be read: %s", path, strerror(error));
    return NULL;
}

/* The leaf, and what follows it: intermediate certificates in their order. */
static bool read_certificates(weir_tls_cert_t *cert, const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    BIO *file = open_file(path, problem);
    X509 *next;

    if (file == NULL)
        return false;
    cert->leaf = PEM_read_bio_X509_AUX(file, NULL, no_passphrase, NULL);
    cert->chain = sk_X509_new_null();
    WEIR_MUST(cert->chain != NULL);
    while (cert->leaf != NULL && (next = PEM_read_bio_X509(file, NULL, no_passphrase, NULL)) != NULL)
        WEIR_MUST(sk_X509_push(cert->chain, next) > 0);
    unsigned long error = ERR_peek_last_error();
    bool is_at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    BIO_free(file);
    if (cert->leaf == NULL || !is_at_end)
        return weir_tls_explain(problem, path, "is no PEM file of certificates");
    ERR_clear_error();
    return true;
}

static bool read_key(weir_tls_cert_t *cert, const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    BIO *file = open_file(path, problem);

    if (file == NULL)
        return false;
    cert->key = PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL);
    BIO_free(file);
    if (cert->key == NULL)
        return weir_tls_explain(problem, path, "is no PEM file of a key without a passphrase");
    if (X509_check_private_key(cert->leaf, cert->key) != 1)
        return weir_tls_explain(problem, path, "is not the key of the certificate");
    return true;
}

weir_tls_cert_t *weir_tls_cert_load(const char *certificate_file, const char *key_file,
                                    char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    weir_tls_cert_t *cert = calloc(1, sizeof(*cert));

    WEIR_MUST(cert != NULL);
    atomic_init(&cert->holders, 1);
    cert->file = strdup(certificate_file);
    WEIR_MUST(cert->file != NULL && pthread_mutex_init(&cert->lock, NULL) == 0);
    ERR_clear_error();
    if (!read_certificates(cert, certificate_file, problem) || (key_file != NULL && !read_key(cert, key_file, problem)))
        weir_tls_cert_release(&cert);
    return cert;
}

weir_tls_cert_t *weir_tls_cert_hold(weir_tls_cert_t *cert)
{
    atomic_fetch_add_explicit(&cert->holders, 1, memory_order_relaxed);
    return cert;
}

void weir_tls_cert_release(weir_tls_cert_t **slot)
{
    weir_tls_cert_t *cert = *slot;

    *slot = NULL;
    if (cert == NULL || atomic_fetch_sub(&cert->holders, 1) != 1)
        return;
    X509_free(cert->leaf);
    EVP_PKEY_free(cert->key);
    sk_X509_pop_free(cert->chain, X509_free);
    pthread_mutex_destroy(&cert->lock);
    free(cert->staple);
    free(cert->file);
    free(cert);
}

bool weir_tls_cert_use(const weir_tls_cert_t *cert, SSL *ssl)
{
    SSL_certs_clear(ssl); /* the default may be of another kind, and would be chosen by clients that prefer that */
    return SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->chain, 1) == 1;
}

bool weir_tls_cert_use_as_default(const weir_tls_cert_t *cert, SSL_CTX *context)
{
    return SSL_CTX_use_cert_and_key(context, cert->leaf, cert->key, cert->chain, 1) == 1;
}

/* ---- what its authority says ---- */

X509 *weir_tls_cert_leaf(const weir_tls_cert_t *cert)
{
    return cert->leaf;
}

X509 *weir_tls_cert_issuer(const weir_tls_cert_t *cert)
{
    for (int i = 0; i < sk_X509_num(cert->chain); i++)
        if (X509_check_issued(sk_X509_value(cert->chain, i), cert->leaf) == X509_V_OK)
            return sk_X509_value(cert->chain, i);
    return NULL;
}

const char *weir_tls_cert_file(const weir_tls_cert_t *cert)
{
    return cert->file;
}

bool weir_tls_cert_is_last(const weir_tls_cert_t *cert)
{
    return atomic_load(&cert->holders) == 1;
}

void weir_tls_cert_set_staple(weir_tls_cert_t *cert, weir_span_t answer, time_t until)
{
    unsigned char *copy = NULL;

    if (answer.len > 0) {
        copy = malloc(answer.len);
        WEIR_MUST(copy != NULL);
        memcpy(copy, answer.base, answer.len);
    }
    pthread_mutex_lock(&cert->lock);
    free(cert->staple);
    cert->staple = copy;
    cert->staple_len = answer.len;
    cert->staple_until = until;
    pthread_mutex_unlock(&cert->lock);
}

void weir_tls_cert_inherit_staple(weir_tls_cert_t *cert, weir_tls_cert_t *from)
{
    pthread_mutex_lock(&from->lock);
    weir_tls_cert_set_staple(cert, (weir_span_t){(const char *)from->staple, from->staple_len}, from->staple_until);
    pthread_mutex_unlock(&from->lock);
}

/* Under the lock. */
static bool has_fresh(const weir_tls_cert_t *cert)
{
    return cert->staple != NULL && (cert->staple_until == 0 || time(NULL) < cert->staple_until);
}

bool weir_tls_cert_has_staple(weir_tls_cert_t *cert)
{
    pthread_mutex_lock(&cert->lock);
    const bool has = has_fresh(cert);
    pthread_mutex_unlock(&cert->lock);
    return has;
}

void weir_tls_cert_staple(weir_tls_cert_t *cert, SSL *ssl)
{
    if (SSL_get_tlsext_status_type(ssl) != TLSEXT_STATUSTYPE_ocsp)
        return;
    pthread_mutex_lock(&cert->lock);
    bool is_fresh = has_fresh(cert);
    unsigned char *copy = is_fresh ? OPENSSL_memdup(cert->staple, cert->staple_len) : NULL;
    if (copy != NULL)
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)cert->staple_len);
    pthread_mutex_unlock(&cert->lock);
}
