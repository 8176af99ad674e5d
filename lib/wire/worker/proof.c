/* SPDX-License-Identifier: MIT */
#include "lib/wire/worker/proof.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "lib/base/span.h"

enum { CREDENTIALS_BYTES = WEIR_WORKER_TOKEN_MOST + WEIR_WORKER_WORD_MOST + 8 };

static void note_token(weir_span_t token, weir_worker_words_t *words)
{
    (void)SHA256((const unsigned char *)token.base, token.len, words->token_sha256);
    words->has_token = true;
}

/* "APP:TOKEN" in base64: what a program sends that knows nothing but an address with a user in it. */
static bool read_basic(weir_span_t basic, weir_span_t app, weir_worker_words_t *words)
{
    unsigned char text[CREDENTIALS_BYTES + 4];

    if (basic.len % 4 != 0 || basic.len / 4 * 3 > CREDENTIALS_BYTES)
        return false;
    int length = EVP_DecodeBlock(text, (const unsigned char *)basic.base, (int)basic.len);
    for (size_t i = basic.len; i > 0 && basic.base[i - 1] == '=' && length > 0; i--)
        length--; /* OpenSSL counts the filling */
    const bool is_ours = length > (int)app.len && memcmp(text, app.base, app.len) == 0 && text[app.len] == ':';
    const size_t token_bytes = is_ours ? (size_t)length - app.len - 1 : 0;
    const bool is_fine = token_bytes >= WEIR_WORKER_TOKEN_LEAST && token_bytes <= WEIR_WORKER_TOKEN_MOST;
    if (is_fine)
        note_token((weir_span_t){(const char *)text + app.len + 1, token_bytes}, words);
    OPENSSL_cleanse(text, sizeof(text));
    return is_fine;
}

bool weir_worker_token(const weir_worker_request_t *request, weir_worker_words_t *words)
{
    if (request->basic.base != NULL)
        return read_basic(request->basic, request->app, words);
    if (request->bearer.base != NULL)
        note_token(request->bearer, words);
    return true;
}

/* Of "CN=shop,O=Shop": a comma that is somebody's word has a backslash in front (RFC 2253). */
static bool is_common_name(weir_span_t subject, weir_span_t app)
{
    for (size_t i = 0; i + 3 + app.len <= subject.len; i++) {
        const bool begins = i == 0 || (subject.base[i - 1] == ',' && (i < 2 || subject.base[i - 2] != '\\'));
        const size_t end = i + 3 + app.len;
        const bool ends = end == subject.len || subject.base[end] == ',';
        if (begins && ends && memcmp(subject.base + i, "CN=", 3) == 0 && memcmp(subject.base + i + 3, app.base, app.len) == 0)
            return true;
    }
    return false;
}

static bool is_uri_of(weir_span_t uri, weir_span_t app)
{
    const weir_span_t before = WEIR_SPAN("/app/");
    const size_t length = before.len + app.len;

    return uri.len > length && memcmp(uri.base + uri.len - length, before.base, before.len) == 0 &&
           memcmp(uri.base + uri.len - app.len, app.base, app.len) == 0;
}

bool weir_worker_is_certified(weir_certificate_t *certificate, weir_span_t app)
{
    if (certificate == NULL)
        return false;
    const weir_certificate_facts_t *facts = weir_certificate_facts(certificate);
    bool has_uri = false;
    for (size_t i = 0; i < facts->name_count; i++) {
        const weir_certificate_name_t *name = &facts->names[i];
        has_uri = has_uri || name->kind == WEIR_CLIENT_NAME_URI;
        if ((name->kind == WEIR_CLIENT_NAME_URI && is_uri_of(name->text, app)) ||
            (name->kind == WEIR_CLIENT_NAME_DNS && weir_span_equal(name->text, app)))
            return true;
    }
    return !has_uri && facts->subject.base != NULL && is_common_name(facts->subject, app);
}
