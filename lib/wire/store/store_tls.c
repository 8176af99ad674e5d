/* SPDX-License-Identifier: MIT */
#include "lib/wire/store/store_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/base/must.h"
#include "lib/wire/tls/tls_cert.h"

enum { LEAST_ALERT = 1000 }; /* OpenSSL's reasons from there on are alerts of the peer's: SSL_AD_REASON_OFFSET */

struct store_tls {
    BIO_METHOD *method;
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

/* ---- bytes: as OpenSSL's own BIO of a socket, but that no SIGPIPE is raised ---- */

static int bio_write(BIO *bio, const char *bytes, int count)
{
    const store_tls_t *tls = BIO_get_data(bio);
    const ssize_t sent = send(tls->fd, bytes, (size_t)count, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (sent == -1 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int bio_read(BIO *bio, char *bytes, int count)
{
    const store_tls_t *tls = BIO_get_data(bio);
    const ssize_t got = recv(tls->fd, bytes, (size_t)count, 0);

    BIO_clear_retry_flags(bio);
    if (got == -1 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)got;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO *new_bio(store_tls_t *tls)
{
    BIO *bio;

    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "store");
    WEIR_MUST(tls->method != NULL && BIO_meth_set_write(tls->method, bio_write) == 1);
    WEIR_MUST(BIO_meth_set_read(tls->method, bio_read) == 1 && BIO_meth_set_ctrl(tls->method, bio_ctrl) == 1);
    bio = BIO_new(tls->method);
    WEIR_MUST(bio != NULL);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- what it is made of ---- */

static bool set_trust(SSL_CTX *context, const char *ca_file, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (ca_file == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1 ||
               weir_tls_explain(problem, "the system's certificates", "cannot be read");
    return SSL_CTX_load_verify_file(context, ca_file) == 1 ||
           weir_tls_explain(problem, ca_file, "is no PEM file of certificates");
}

static bool set_certificate(SSL_CTX *context, const store_socket_settings_t *settings,
                            char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    const char *key_file = settings->key_file != NULL ? settings->key_file : settings->certificate_file;
    weir_tls_cert_t *cert;
    bool is_used;

    if (settings->certificate_file == NULL)
        return true;
    cert = weir_tls_cert_load(settings->certificate_file, key_file, problem);
    is_used = cert != NULL && (weir_tls_cert_use_as_default(cert, context) ||
                               weir_tls_explain(problem, settings->certificate_file, "cannot be shown"));
    weir_tls_cert_release(&cert);
    return is_used;
}

/* SNI has names only (RFC 6066 §3). */
static bool set_name(SSL *ssl, const char *name, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    unsigned char address[sizeof(struct in6_addr)];
    bool is_set;

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    else
        is_set = SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
    return is_set || weir_tls_explain(problem, name, "is no name of a server");
}

static void make_context(store_tls_t *tls)
{
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_client_method());
    WEIR_MUST(tls->context != NULL && SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1);
    WEIR_MUST(SSL_CTX_set_alpn_protos(tls->context, (const unsigned char *)"\x02h2", 3) == 0);
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static bool prepare(store_tls_t *tls, const store_socket_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    BIO *bio;

    if (!set_trust(tls->context, settings->ca_file, problem) || !set_certificate(tls->context, settings, problem))
        return false;
    tls->ssl = SSL_new(tls->context);
    WEIR_MUST(tls->ssl != NULL);
    bio = new_bio(tls);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_connect_state(tls->ssl);
    return set_name(tls->ssl, settings->server_name, problem);
}

store_tls_t *store_tls_create(const store_socket_settings_t *settings, int fd, char problem[static WEIR_ETCD_PROBLEM_BYTES])
{
    store_tls_t *tls = calloc(1, sizeof(*tls));
    char words[WEIR_TLS_PROBLEM_BYTES] = "";

    WEIR_MUST(tls != NULL);
    tls->fd = fd;
    make_context(tls);
    if (prepare(tls, settings, words))
        return tls;
    (void)snprintf(problem, WEIR_ETCD_PROBLEM_BYTES, "%.*s", WEIR_ETCD_PROBLEM_BYTES - 1, words);
    store_tls_free(&tls);
    return NULL;
}

/* Says close_notify, if the kernel has room for it. */
void store_tls_free(store_tls_t **slot)
{
    store_tls_t *tls = *slot;

    *slot = NULL;
    if (tls == NULL)
        return;
    if (tls->ssl != NULL && SSL_is_init_finished(tls->ssl))
        (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls);
}

/* ---- what goes over it ---- */

/* A record that fails is said with OpenSSL's word for it; one of the peer's alerts says that it does not want us. */
static int explain(store_socket_t *socket, const char *what)
{
    const unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);

    socket->is_denied = error != 0 && ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) >= LEAST_ALERT;
    (void)snprintf(socket->problem, sizeof(socket->problem), "%s: %s", what,
                   reason != NULL ? reason : "the connection has been cut");
    ERR_clear_error();
    return STORE_SOCKET_BROKEN;
}

/* What a call that did not succeed means. */
static int look_at(store_socket_t *socket, int returned, const char *what)
{
    switch (SSL_get_error(socket->tls->ssl, returned)) {
    case SSL_ERROR_WANT_WRITE:
        socket->must_write = true;
        return STORE_SOCKET_BLOCKED;
    case SSL_ERROR_WANT_READ:
        return STORE_SOCKET_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return explain(socket, what);
    }
}

ssize_t store_tls_read(store_socket_t *socket, char *bytes, size_t count)
{
    size_t got;
    int returned;

    ERR_clear_error();
    returned = SSL_read_ex(socket->tls->ssl, bytes, count, &got);
    return returned == 1 ? (ssize_t)got : look_at(socket, returned, "TLS has failed");
}

ssize_t store_tls_write(store_socket_t *socket, const char *bytes, size_t count)
{
    size_t sent;
    int returned;

    ERR_clear_error();
    returned = SSL_write_ex(socket->tls->ssl, bytes, count, &sent);
    if (returned == 1)
        return (ssize_t)sent;
    returned = look_at(socket, returned, "TLS has failed");
    return returned != 0 ? returned : explain(socket, "TLS has ended");
}

static int check_alpn(store_socket_t *socket)
{
    const unsigned char *protocol;
    unsigned int length;

    SSL_get0_alpn_selected(socket->tls->ssl, &protocol, &length);
    if (length == 2 && memcmp(protocol, "h2", 2) == 0)
        return 1;
    (void)snprintf(socket->problem, sizeof(socket->problem), "no HTTP/2 is spoken there");
    return STORE_SOCKET_BROKEN;
}

int store_tls_handshake(store_socket_t *socket, const char *name)
{
    int returned;
    long verdict;

    ERR_clear_error();
    returned = SSL_do_handshake(socket->tls->ssl);
    if (returned == 1)
        return check_alpn(socket);
    returned = look_at(socket, returned, "TLS cannot begin");
    if (returned == STORE_SOCKET_BLOCKED)
        return returned;
    verdict = SSL_get_verify_result(socket->tls->ssl);
    if (verdict == X509_V_OK)
        return STORE_SOCKET_BROKEN;
    socket->is_denied = true;
    (void)snprintf(socket->problem, sizeof(socket->problem), "%s is not believed: %s", name,
                   X509_verify_cert_error_string(verdict));
    return STORE_SOCKET_BROKEN;
}
