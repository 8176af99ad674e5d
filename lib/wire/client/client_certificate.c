/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/client_certificate.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/base/must.h"

enum { DIGEST_BYTES = 32 };

struct weir_certificate {
    atomic_uint holders;
    X509 *x509;
    pthread_mutex_t lock; /* the rest; frozen once it is read */
    bool is_read;
    weir_certificate_facts_t facts;
    char *subject, *issuer, *serial;
    char sha256[2 * DIGEST_BYTES];
    GENERAL_NAMES *found; /* names point into it */
    weir_certificate_name_t *names;
    char (*addresses)[INET6_ADDRSTRLEN]; /* of names that are addresses; NULL: there are none */
};

weir_certificate_t *weir_certificate_of(const SSL *ssl)
{
    X509 *x509 = SSL_get0_peer_certificate(ssl);

    if (x509 == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
        return NULL;
    weir_certificate_t *certificate = calloc(1, sizeof(*certificate));
    WEIR_MUST(certificate != NULL && pthread_mutex_init(&certificate->lock, NULL) == 0);
    atomic_init(&certificate->holders, 1);
    WEIR_MUST(X509_up_ref(x509) == 1);
    certificate->x509 = x509;
    return certificate;
}

weir_certificate_t *weir_certificate_hold(weir_certificate_t *certificate)
{
    if (certificate != NULL)
        atomic_fetch_add_explicit(&certificate->holders, 1, memory_order_relaxed);
    return certificate;
}

void weir_certificate_release(weir_certificate_t **slot)
{
    weir_certificate_t *certificate = *slot;

    *slot = NULL;
    if (certificate == NULL || atomic_fetch_sub(&certificate->holders, 1) != 1)
        return;
    X509_free(certificate->x509);
    GENERAL_NAMES_free(certificate->found);
    OPENSSL_free(certificate->subject);
    OPENSSL_free(certificate->issuer);
    OPENSSL_free(certificate->serial);
    free(certificate->names);
    free(certificate->addresses);
    pthread_mutex_destroy(&certificate->lock);
    free(certificate);
}

/* ---- reading ---- */

static weir_span_t within(const char *text, size_t len, size_t limit)
{
    return text != NULL && len <= limit ? (weir_span_t){text, len} : (weir_span_t){NULL, 0};
}

/* All that is not printable is escaped (RFC 2253 §2.4), so that it may be put into a header. */
static weir_span_t read_name(const X509_NAME *name, char **out_text)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *base;

    WEIR_MUST(memory != NULL);
    bool is_written = X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) >= 0;
    long len = BIO_get_mem_data(memory, &base);
    if (is_written && len <= WEIR_CERTIFICATE_TEXT_BYTES) {
        *out_text = OPENSSL_strndup(len > 0 ? base : "", (size_t)len);
        WEIR_MUST(*out_text != NULL);
    }
    BIO_free(memory);
    return *out_text != NULL ? (weir_span_t){*out_text, (size_t)len} : (weir_span_t){NULL, 0};
}

static weir_span_t read_serial(weir_certificate_t *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate->x509), NULL);

    if (number != NULL && BN_num_bytes(number) <= WEIR_CERTIFICATE_SERIAL_BYTES)
        certificate->serial = BN_is_zero(number) ? OPENSSL_strdup("00") : BN_bn2hex(number);
    BN_free(number);
    return within(certificate->serial, certificate->serial != NULL ? strlen(certificate->serial) : 0, SIZE_MAX);
}

static weir_span_t read_digest(weir_certificate_t *certificate)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (X509_digest(certificate->x509, EVP_sha256(), digest, &len) != 1 || len != DIGEST_BYTES)
        return (weir_span_t){NULL, 0};
    for (size_t i = 0; i < len; i++) {
        certificate->sha256[2 * i] = digits[digest[i] >> 4];
        certificate->sha256[2 * i + 1] = digits[digest[i] & 15];
    }
    return (weir_span_t){certificate->sha256, sizeof(certificate->sha256)};
}

static uint64_t read_end(const X509 *x509)
{
    struct tm parts;
    time_t at = ASN1_TIME_to_tm(X509_get0_notAfter(x509), &parts) == 1 ? timegm(&parts) : 0;

    return at > 0 ? (uint64_t)at * 1000 : 0;
}

/*
 * IA5Strings have been made that hold line ends, NULs and commas, to look like something else: only what is printable is a
 * name.
 */
static weir_span_t read_text(const ASN1_STRING *string)
{
    const char *bytes = (const char *)ASN1_STRING_get0_data(string);
    int len = ASN1_STRING_length(string);

    for (int i = 0; i < len; i++)
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return (weir_span_t){NULL, 0};
    return within(len > 0 ? bytes : NULL, (size_t)len, WEIR_CERTIFICATE_TEXT_BYTES);
}

static weir_span_t read_address(weir_certificate_t *certificate, const ASN1_OCTET_STRING *bytes)
{
    int len = ASN1_STRING_length(bytes);

    if (len != 4 && len != 16)
        return (weir_span_t){NULL, 0};
    if (certificate->addresses == NULL)
        certificate->addresses = calloc(WEIR_CERTIFICATE_NAMES, sizeof(certificate->addresses[0]));
    WEIR_MUST(certificate->addresses != NULL);
    char *text = certificate->addresses[certificate->facts.name_count];
    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text, INET6_ADDRSTRLEN);
    return (weir_span_t){text, strlen(text)};
}

/* base is NULL if it is of a kind that routers are not told of. */
static weir_certificate_name_t read_other_name(weir_certificate_t *certificate, const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_DNS:
        return (weir_certificate_name_t){WEIR_CLIENT_NAME_DNS, read_text(name->d.dNSName)};
    case GEN_EMAIL:
        return (weir_certificate_name_t){WEIR_CLIENT_NAME_EMAIL, read_text(name->d.rfc822Name)};
    case GEN_URI:
        return (weir_certificate_name_t){WEIR_CLIENT_NAME_URI, read_text(name->d.uniformResourceIdentifier)};
    case GEN_IPADD:
        return (weir_certificate_name_t){WEIR_CLIENT_NAME_IP, read_address(certificate, name->d.iPAddress)};
    default:
        return (weir_certificate_name_t){WEIR_CLIENT_NAME_DNS, {NULL, 0}};
    }
}

static void read_other_names(weir_certificate_t *certificate)
{
    weir_certificate_facts_t *facts = &certificate->facts;

    certificate->found = X509_get_ext_d2i(certificate->x509, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(certificate->found);
    if (count <= 0)
        return;
    facts->names = certificate->names = calloc(WEIR_CERTIFICATE_NAMES, sizeof(certificate->names[0]));
    WEIR_MUST(facts->names != NULL);
    for (int i = 0; i < count && facts->name_count < WEIR_CERTIFICATE_NAMES; i++) {
        weir_certificate_name_t *name = &certificate->names[facts->name_count];
        *name = read_other_name(certificate, sk_GENERAL_NAME_value(certificate->found, i));
        facts->name_count += name->text.base != NULL;
    }
}

static void read_all(weir_certificate_t *certificate)
{
    const X509 *x509 = certificate->x509;
    weir_certificate_facts_t *facts = &certificate->facts;

    facts->subject = read_name(X509_get_subject_name(x509), &certificate->subject);
    facts->issuer = read_name(X509_get_issuer_name(x509), &certificate->issuer);
    facts->serial = read_serial(certificate);
    facts->sha256 = read_digest(certificate);
    facts->not_after_ms = read_end(x509);
    read_other_names(certificate);
    ERR_clear_error();
    certificate->is_read = true;
}

const weir_certificate_facts_t *weir_certificate_facts(weir_certificate_t *certificate)
{
    pthread_mutex_lock(&certificate->lock);
    if (!certificate->is_read)
        read_all(certificate);
    pthread_mutex_unlock(&certificate->lock);
    return &certificate->facts;
}
