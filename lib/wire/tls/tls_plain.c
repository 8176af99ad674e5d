/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_plain.h"

#include <string.h>

#include <h2o.h>
#include <openssl/err.h>

#include "lib/base/must.h"
#include "lib/wire/tls/tls_cert.h"

/* Who is told; the context has it. */
typedef struct told {
    void (*on_peer)(void *owner, const char *subject);
    void (*on_alert)(void *owner, const char *words);
} told_t;

/* libh2o's BIO has the socket as its data. */
static void *owner_of(const SSL *ssl)
{
    const h2o_socket_t *sock = BIO_get_data(SSL_get_rbio(ssl));

    return sock == NULL ? NULL : sock->on_close.data;
}

static void tell_peer(const SSL *ssl, const told_t *told, void *owner)
{
    X509 *peer = SSL_get1_peer_certificate(ssl);
    BIO *text = BIO_new(BIO_s_mem());
    char subject[WEIR_TLS_PEER_BYTES] = "";

    WEIR_MUST(text != NULL);
    if (peer != NULL && X509_NAME_print_ex(text, X509_get_subject_name(peer), 0, XN_FLAG_RFC2253) >= 0) {
        const int length = BIO_read(text, subject, sizeof(subject) - 1);
        subject[length > 0 ? length : 0] = '\0';
    }
    BIO_free(text);
    X509_free(peer);
    told->on_peer(owner, subject);
}

static void on_info(const SSL *ssl, int where, int value)
{
    const told_t *told = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    void *owner = owner_of(ssl);

    if (owner == NULL)
        return;
    if (where & SSL_CB_HANDSHAKE_DONE)
        tell_peer(ssl, told, owner);
    else if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && (value >> 8) == SSL3_AL_FATAL)
        told->on_alert(owner, SSL_alert_desc_string_long(value));
}

static bool set_certificate(SSL_CTX *context, const weir_tls_plain_settings_t *settings,
                            char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    weir_tls_cert_t *cert = weir_tls_cert_load(settings->certificate_file, settings->key_file, problem);

    if (cert == NULL)
        return false;
    const bool is_used = weir_tls_cert_use_as_default(cert, context);
    weir_tls_cert_release(&cert);
    return is_used || weir_tls_explain(problem, settings->certificate_file, "is not wanted by OpenSSL");
}

static bool set_authority(SSL_CTX *context, const char *file, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    if (file == NULL)
        return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (names == NULL || SSL_CTX_load_verify_file(context, file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return weir_tls_explain(problem, file, "is no PEM file of certificates");
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return true;
}

/* No read-ahead: libh2o would not see what OpenSSL has read already. */
static void set_habits(SSL_CTX *context, const weir_tls_plain_settings_t *settings)
{
    told_t *told = OPENSSL_zalloc(sizeof(*told));

    WEIR_MUST(told != NULL && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    *told = (told_t){settings->on_peer, settings->on_alert};
    SSL_CTX_set_app_data(context, told);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_info_callback(context, on_info);
}

SSL_CTX *weir_tls_plain_create(const weir_tls_plain_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    SSL_CTX *context;

    ERR_clear_error();
    context = SSL_CTX_new(TLS_server_method());
    WEIR_MUST(context != NULL);
    set_habits(context, settings);
    if (!set_certificate(context, settings, problem) || !set_authority(context, settings->client_ca_file, problem))
        weir_tls_plain_free(&context);
    return context;
}

void weir_tls_plain_free(SSL_CTX **slot)
{
    if (*slot == NULL)
        return;
    OPENSSL_free(SSL_CTX_get_app_data(*slot));
    SSL_CTX_free(*slot);
    *slot = NULL;
}
