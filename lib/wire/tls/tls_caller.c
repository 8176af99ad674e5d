/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_caller.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/base/must.h"

struct weir_tls_caller {
    SSL_CTX *context;
    SSL *ssl;
};

static bool set_files(SSL_CTX *context, const weir_tls_caller_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    const char *key_file = settings->key_file != NULL ? settings->key_file : settings->certificate_file;

    if (settings->ca_file == NULL && SSL_CTX_set_default_verify_paths(context) != 1)
        return weir_tls_explain(problem, "the system's certificates", "cannot be read");
    if (settings->ca_file != NULL && SSL_CTX_load_verify_file(context, settings->ca_file) != 1)
        return weir_tls_explain(problem, settings->ca_file, "is no PEM file of certificates");
    if (settings->certificate_file == NULL)
        return true;
    if (SSL_CTX_use_certificate_chain_file(context, settings->certificate_file) != 1)
        return weir_tls_explain(problem, settings->certificate_file, "is no PEM file of a certificate");
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(context) != 1)
        return weir_tls_explain(problem, key_file, "is not its key");
    return true;
}

/* SNI has names only (RFC 6066 §3). */
static bool set_name(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool explain_handshake(const SSL *ssl, const char *name, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    const long verdict = SSL_get_verify_result(ssl);

    if (verdict == X509_V_OK)
        return weir_tls_explain(problem, name, "does not shake hands");
    ERR_clear_error();
    snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s is not believed: %s", name, X509_verify_cert_error_string(verdict));
    return false;
}

static bool shake_hands(weir_tls_caller_t *caller, int fd, const weir_tls_caller_settings_t *settings,
                        char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    WEIR_MUST(SSL_CTX_set_min_proto_version(caller->context, TLS1_2_VERSION) == 1);
    SSL_CTX_set_options(caller->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(caller->context, SSL_VERIFY_PEER, NULL);
    if (!set_files(caller->context, settings, problem))
        return false;
    caller->ssl = SSL_new(caller->context);
    WEIR_MUST(caller->ssl != NULL && SSL_set_fd(caller->ssl, fd) == 1);
    if (!set_name(caller->ssl, settings->server_name))
        return weir_tls_explain(problem, settings->server_name, "is no name of a server");
    return SSL_connect(caller->ssl) == 1 || explain_handshake(caller->ssl, settings->server_name, problem);
}

weir_tls_caller_t *weir_tls_caller_open(int fd, const weir_tls_caller_settings_t *settings,
                                        char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    weir_tls_caller_t *caller = calloc(1, sizeof(*caller));

    WEIR_MUST(caller != NULL);
    ERR_clear_error();
    caller->context = SSL_CTX_new(TLS_client_method());
    WEIR_MUST(caller->context != NULL);
    if (!shake_hands(caller, fd, settings, problem))
        weir_tls_caller_close(&caller);
    return caller;
}

bool weir_tls_caller_send(weir_tls_caller_t *caller, const char *bytes, size_t count)
{
    size_t sent;

    return SSL_write_ex(caller->ssl, bytes, count, &sent) == 1; /* all of them: SSL_MODE_ENABLE_PARTIAL_WRITE is off */
}

ssize_t weir_tls_caller_receive(weir_tls_caller_t *caller, char *bytes, size_t count,
                                char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    const int got = SSL_read(caller->ssl, bytes, count > INT_MAX ? INT_MAX : (int)count);

    if (got > 0)
        return got;
    if (SSL_get_error(caller->ssl, got) == SSL_ERROR_ZERO_RETURN)
        return 0;
    (void)weir_tls_explain(problem, "the server", "has ended the connection");
    return -1;
}

void weir_tls_caller_close(weir_tls_caller_t **slot)
{
    weir_tls_caller_t *caller = *slot;

    *slot = NULL;
    if (caller == NULL)
        return;
    SSL_free(caller->ssl);
    SSL_CTX_free(caller->context);
    free(caller);
}
