/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_tell.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "lib/wire/tls/tls.h"
#include "lib/wire/tls/tls_cert.h"

enum { NAMES_BYTES = 32768, V4_BYTES = 4, V6_BYTES = 16 };

/* Names lie behind each other; what has no room is left out. */
typedef struct names {
    char text[NAMES_BYTES];
    size_t length;
} names_t;

static const char *keep(names_t *names, const char *text, size_t bytes)
{
    char *at = names->text + names->length;

    if (names->length + bytes + 1 > sizeof(names->text))
        return NULL;
    for (size_t i = 0; i < bytes; i++)
        at[i] = text[i] > ' ' && text[i] < 0x7f ? text[i] : '?';
    at[bytes] = '\0';
    names->length += bytes + 1;
    return at;
}

static const char *keep_name(names_t *names, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];

    if (name->type == GEN_DNS)
        return keep(names, (const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
    if (name->type != GEN_IPADD)
        return NULL;
    const int bytes = ASN1_STRING_length(name->d.iPAddress);
    if ((bytes != V4_BYTES && bytes != V6_BYTES) ||
        inet_ntop(bytes == V4_BYTES ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof(text)) == NULL)
        return NULL;
    return keep(names, text, strlen(text));
}

static void read_names(const X509 *leaf, names_t *names, weir_tls_told_t *told)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(all) && told->name_count < WEIR_TLS_TOLD_NAMES; i++) {
        const char *name = keep_name(names, sk_GENERAL_NAME_value(all, i));
        if (name != NULL)
            told->names[told->name_count++] = name;
    }
    GENERAL_NAMES_free(all);
}

void weir_tls_cert_tell(weir_tls_cert_t *cert, void (*each)(const weir_tls_told_t *told, void *context), void *context)
{
    const X509 *leaf = weir_tls_cert_leaf(cert);
    weir_tls_told_t told = {.file = weir_tls_cert_file(cert), .has_staple = weir_tls_cert_has_staple(cert)};
    names_t names = {.length = 0};
    struct tm ends;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &ends) == 1)
        told.ends_at_s = (int64_t)timegm(&ends);
    read_names(leaf, &names, &told);
    each(&told, context);
}
