/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls_cert.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/base/must.h"

struct weir_tls_cert {
    atomic_uint holders;
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

/** OpenSSL would ask whoever sits at the terminal. */
static int no_passphrase(char *buffer, int size, int is_writing, void *arg)
{
    return -1;
}

static BIO *open_file(const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    BIO *file = BIO_new_file(path, "r");
    if (file != NULL)
        return file;
    int error = errno;
    ERR_clear_error();
    snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s cannot be read: %s", path, strerror(error));
    return NULL;
}

/** The leaf, and what follows it: intermediate certificates in their order. */
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
    ERR_clear_error();
    if (!read_certificates(cert, certificate_file, problem) || !read_key(cert, key_file, problem))
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
