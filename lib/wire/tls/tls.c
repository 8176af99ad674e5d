/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/base/must.h"
#include "lib/wire/sock/sock_tls.h"
#include "lib/wire/tls/tls_cert.h"
#include "lib/wire/tls/tls_directory.h"
#include "lib/wire/tls/tls_names.h"
#include "lib/wire/tls/tls_ocsp.h"
#include "lib/wire/tls/tls_tell.h"
#include "lib/wire/tls/tls_tickets.h"

struct weir_tls {
    atomic_uint holders;
    SSL_CTX *context;
    bool is_application_s; /* the context: it is only borrowed from */
    weir_tls_names_t names;
    weir_tls_names_t files;          /* certificates by the path they came from: none is loaded twice */
    weir_tls_directory_t *directory; /* NULL: none */
    weir_tls_tickets_t *tickets;     /* NULL: none */
    weir_tls_cert_t *any;            /* for names that nothing else is for: one of files', or NULL */
    weir_tls_cert_t *fallback;       /* for whoever asks for no name or an unknown one: one of files', or NULL */
    uint32_t ocsp_interval_s, ocsp_max_failures;
};

/* ---- what a handshake asks ---- */

static weir_tls_cert_t *find(weir_tls_t *tls, const SSL *ssl)
{
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char clean[WEIR_TLS_NAME_BYTES + 1], any[WEIR_TLS_NAME_BYTES + 1];
    weir_span_t name = {clean, 0};

    if (asked == NULL || !weir_tls_name_clean((weir_span_t){asked, strlen(asked)}, clean, &name.len))
        return NULL;
    const weir_tls_name_t *entry = weir_tls_names_find(&tls->names, name);
    if (entry == NULL) {
        weir_span_t wildcard = weir_tls_name_wildcard(name, any);
        entry = wildcard.len > 0 ? weir_tls_names_find(&tls->names, wildcard) : NULL;
    }
    if (entry != NULL)
        return weir_tls_cert_hold(entry->cert);
    weir_tls_cert_t *cert = tls->directory != NULL ? weir_tls_directory_find(tls->directory, name) : NULL;
    return cert != NULL || tls->any == NULL ? cert : weir_tls_cert_hold(tls->any);
}

/* The name is known, nothing has been shown yet. */
static int on_certificate_wanted(SSL *ssl, void *arg)
{
    weir_tls_t *tls = arg;
    bool is_only = tls->files.count == 1 && tls->directory == NULL;
    weir_tls_cert_t *cert = is_only ? NULL : find(tls, ssl);

    if (cert == NULL) { /* the context has the fallback already */
        if (tls->fallback != NULL)
            weir_tls_cert_staple(tls->fallback, ssl);
        return tls->fallback != NULL;
    }
    bool is_used = weir_tls_cert_use(cert, ssl);
    weir_tls_cert_staple(cert, ssl);
    weir_tls_cert_release(&cert);
    return is_used;
}

/* Without a certificate for strangers a stranger is told what is wrong (RFC 6066 §3). */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    weir_tls_t *tls = arg;
    weir_tls_cert_t *cert = tls->fallback == NULL ? find(tls, ssl) : NULL;

    if (tls->fallback != NULL || cert != NULL) {
        weir_tls_cert_release(&cert);
        return SSL_TLSEXT_ERR_NOACK;
    }
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* on_certificate_wanted() has put it there, if there is any. */
static int on_status_wanted(SSL *ssl, void *arg)
{
    const unsigned char *answer;

    return SSL_get_tlsext_status_ocsp_resp(ssl, &answer) > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                     int is_encrypting)
{
    const weir_tls_t *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int result = weir_tls_tickets_use(tls->tickets, name, iv, cipher, mac, is_encrypting == 1);
    /* RFC 8446 §C.4: clients use a ticket once, and want another for the next time */
    bool must_renew = result == 1 && is_encrypting == 0 && SSL_version(ssl) == TLS1_3_VERSION;

    return must_renew ? 2 : result;
}

/* Ours in our order: what we would rather speak comes first. Nothing in common ends the handshake (RFC 7301 §3.2). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *theirs, unsigned len,
                   void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1\x08http/1.0";
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, theirs, len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- making ---- */

static bool set_dh(SSL_CTX *context, const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    if (path == NULL)
        return true;
    BIO *file = weir_tls_open_file(path);
    EVP_PKEY *parameters = file != NULL ? PEM_read_bio_Parameters(file, NULL) : NULL;
    BIO_free(file);
    if (parameters != NULL && SSL_CTX_set0_tmp_dh_pkey(context, parameters) == 1)
        return true;
    EVP_PKEY_free(parameters);
    return weir_tls_explain(problem, path, "is no PEM file of Diffie-Hellman parameters");
}

/*
 * Sessions are bound to whom they were verified for: a ticket of an address that asks for no certificate must not open one that
 * does, with keys of tickets that all addresses share.
 */
static bool bind_sessions(SSL_CTX *context, const weir_tls_settings_t *settings)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    const unsigned char verify = (unsigned char)settings->verify;

    WEIR_MUST(sum != NULL && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(sum, &verify, 1) == 1);
    BIO *file = settings->client_ca_file != NULL ? BIO_new_file(settings->client_ca_file, "r") : NULL;
    char block[4096];
    int count;
    while (file != NULL && (count = BIO_read(file, block, sizeof(block))) > 0)
        WEIR_MUST(EVP_DigestUpdate(sum, block, (size_t)count) == 1);
    BIO_free(file);
    WEIR_MUST(EVP_DigestFinal_ex(sum, digest, &len) == 1);
    EVP_MD_CTX_free(sum);
    return SSL_CTX_set_session_id_context(context, digest, len) == 1;
}

static bool set_verify(SSL_CTX *context, const weir_tls_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    WEIR_MUST(bind_sessions(context, settings));
    if (settings->verify == WEIR_TLS_VERIFY_NONE)
        return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(settings->client_ca_file);
    if (names == NULL || SSL_CTX_load_verify_file(context, settings->client_ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return weir_tls_explain(problem, settings->client_ca_file, "is no PEM file of certificates");
    }
    SSL_CTX_set_client_CA_list(context, names);
    bool is_required = settings->verify == WEIR_TLS_VERIFY_REQUIRE;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return true;
}

static bool set_versions(SSL_CTX *context, const weir_tls_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    int least = settings->least_version != 0 ? settings->least_version : TLS1_2_VERSION;

    if (settings->most_version != 0 && settings->most_version < least) {
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "minimum-version is above maximum-version");
        return false;
    }
    if (SSL_CTX_set_min_proto_version(context, least) != 1 ||
        SSL_CTX_set_max_proto_version(context, settings->most_version) != 1)
        return weir_tls_explain(problem, "OpenSSL", "does not speak these versions");
    /* OpenSSL 3 signs handshakes below TLS 1.2 (MD5 with SHA-1) at security level 0 only */
    if (least < TLS1_2_VERSION)
        SSL_CTX_set_security_level(context, 0);
    return true;
}

static bool set_ciphers(SSL_CTX *context, const weir_tls_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    if (settings->ciphers != NULL && SSL_CTX_set_cipher_list(context, settings->ciphers) != 1)
        return weir_tls_explain(problem, "cipher-suite", "names no cipher that OpenSSL knows");
    if (settings->ciphersuites != NULL && SSL_CTX_set_ciphersuites(context, settings->ciphersuites) != 1)
        return weir_tls_explain(problem, "cipher-suite-tls1.3", "names a cipher that OpenSSL does not know");
    return true;
}

/* The rest is the same for all. */
static void set_habits(SSL_CTX *context, const weir_tls_settings_t *settings)
{
    weir_sock_tls_prepare(context);
    if (settings->prefers_ours)
        SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
}

static bool set_directory(weir_tls_t *tls, const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    if (path == NULL)
        return true;
    tls->directory = weir_tls_directory_open(path, problem);
    SSL_CTX_set_tlsext_servername_callback(tls->context, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(tls->context, tls);
    return tls->directory != NULL;
}

weir_tls_t *weir_tls_create(const weir_tls_settings_t *settings, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    weir_tls_t *tls = calloc(1, sizeof(*tls));

    WEIR_MUST(tls != NULL);
    atomic_init(&tls->holders, 1);
    ERR_clear_error();
    SSL_CTX *context = tls->context = SSL_CTX_new(TLS_server_method());
    WEIR_MUST(context != NULL);
    set_habits(context, settings);
    SSL_CTX_set_cert_cb(context, on_certificate_wanted, tls);
    SSL_CTX_set_tlsext_status_cb(context, on_status_wanted);
    tls->ocsp_interval_s = settings->ocsp_interval_s;
    tls->ocsp_max_failures = settings->ocsp_max_failures;
    if (!set_versions(context, settings, problem) || !set_ciphers(context, settings, problem) ||
        !set_dh(context, settings->dh_file, problem) || !set_verify(context, settings, problem) ||
        !set_directory(tls, settings->directory, problem))
        weir_tls_release(&tls);
    return tls;
}

weir_tls_t *weir_tls_of_application(SSL_CTX *context)
{
    weir_tls_t *tls = calloc(1, sizeof(*tls));

    WEIR_MUST(tls != NULL && SSL_CTX_up_ref(context) == 1);
    atomic_init(&tls->holders, 1);
    tls->context = context;
    tls->is_application_s = true;
    return tls;
}

static weir_tls_cert_t *load(weir_tls_t *tls, const char *certificate_file, const char *key_file,
                             char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    weir_span_t path = {certificate_file, strlen(certificate_file)};
    const weir_tls_name_t *known = weir_tls_names_find(&tls->files, path);

    if (known != NULL)
        return known->cert;
    weir_tls_cert_t *cert = weir_tls_cert_load(certificate_file, key_file, problem);
    if (cert != NULL)
        weir_tls_names_add(&tls->files, path, cert);
    return cert;
}

bool weir_tls_add(weir_tls_t *tls, const char *name, const char *certificate_file, const char *key_file,
                  char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    weir_tls_cert_t *cert = load(tls, certificate_file, key_file, problem);
    char clean[WEIR_TLS_NAME_BYTES + 1];
    weir_span_t key = {clean, 0};

    if (cert == NULL)
        return false;
    if (tls->fallback == NULL && !weir_tls_cert_use_as_default(cert, tls->context))
        return weir_tls_explain(problem, certificate_file, "is not wanted by OpenSSL");
    tls->fallback = tls->fallback != NULL ? tls->fallback : cert;
    if (name == NULL)
        return true;
    if (strcmp(name, "*") == 0) {
        tls->any = tls->any != NULL ? tls->any : cert;
        return true;
    }
    if (!weir_tls_name_clean((weir_span_t){name, strlen(name)}, clean, &key.len)) {
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "`%s` is no name that a client could ask for", name);
        return false;
    }
    if (weir_tls_names_find(&tls->names, key) == NULL)
        weir_tls_names_add(&tls->names, key, weir_tls_cert_hold(cert));
    return true;
}

void weir_tls_set_tickets(weir_tls_t *tls, weir_tls_tickets_t *tickets)
{
    if (tickets == NULL) {
        SSL_CTX_set_options(tls->context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(tls->context, 0);
        return;
    }
    tls->tickets = weir_tls_tickets_hold(tickets);
    SSL_CTX_set_app_data(tls->context, tls);
    SSL_CTX_set_timeout(tls->context, (long)weir_tls_tickets_lifetime_s(tickets));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(tls->context, on_ticket);
}

void weir_tls_watch_status(const weir_tls_t *tls)
{
    if (tls->ocsp_interval_s == 0 || tls->files.count == 0)
        return;
    for (const weir_list_t *node = tls->files.names.next; node != &tls->files.names; node = node->next)
        weir_tls_ocsp_watch(WEIR_AROUND(node, weir_tls_name_t, link)->cert, tls->ocsp_interval_s, tls->ocsp_max_failures);
}

weir_tls_t *weir_tls_hold(weir_tls_t *tls)
{
    atomic_fetch_add_explicit(&tls->holders, 1, memory_order_relaxed);
    return tls;
}

void weir_tls_release(weir_tls_t **slot)
{
    weir_tls_t *tls = *slot;

    *slot = NULL;
    if (tls == NULL || atomic_fetch_sub(&tls->holders, 1) != 1)
        return;
    SSL_CTX_free(tls->context);
    weir_tls_names_finish(&tls->names);
    weir_tls_names_finish(&tls->files);
    weir_tls_directory_close(&tls->directory);
    weir_tls_tickets_release(&tls->tickets);
    free(tls);
}

SSL *weir_tls_accept(weir_tls_t *tls)
{
    SSL *ssl = SSL_new(tls->context);

    WEIR_MUST(ssl != NULL);
    SSL_set_accept_state(ssl);
    if (tls->is_application_s)
        weir_sock_tls_prepare_one(ssl);
    return ssl;
}

void weir_tls_tell(const weir_tls_t *tls, void (*each)(const weir_tls_told_t *told, void *context), void *context)
{
    for (size_t i = 0; i < tls->files.bucket_count; i++)
        for (const weir_tls_name_t *entry = tls->files.buckets[i]; entry != NULL; entry = entry->next)
            weir_tls_cert_tell(entry->cert, each, context);
}

size_t weir_tls_tell_directory(const weir_tls_t *tls, size_t most, const weir_tls_telling_t *telling)
{
    return tls->directory == NULL ? 0 : weir_tls_directory_tell(tls->directory, most, telling);
}
