/* SPDX-License-Identifier: MIT */
#include "weir_digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/must.h"

enum { BLOCK_BYTES = 64 }; /* of SHA-256 */

static EVP_MD *fetched;

static void fetch(void)
{
    fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
    WEIR_MUST(fetched != NULL);
}

/* Looking for the algorithm each time, as HMAC() does, takes longer than what it computes. */
static const EVP_MD *sha256(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, fetch);
    return fetched;
}

static void begin(EVP_MD_CTX *digest)
{
    WEIR_MUST(EVP_DigestInit_ex(digest, sha256(), NULL) == 1);
}

static void add(EVP_MD_CTX *digest, const void *bytes, size_t count)
{
    WEIR_MUST(EVP_DigestUpdate(digest, bytes, count) == 1);
}

static void end(EVP_MD_CTX *digest, uint8_t *out)
{
    WEIR_MUST(EVP_DigestFinal_ex(digest, out, NULL) == 1);
}

/* The key, or its digest if it is longer than a block (RFC 2104 §2). */
static void key_block(EVP_MD_CTX *digest, weir_span_t key, uint8_t out[BLOCK_BYTES])
{
    memset(out, 0, BLOCK_BYTES);
    if (key.len <= BLOCK_BYTES) {
        if (key.len > 0)
            memcpy(out, key.base, key.len);
        return;
    }
    begin(digest);
    add(digest, key.base, key.len);
    end(digest, out);
}

static void add_padded(EVP_MD_CTX *digest, const uint8_t key[BLOCK_BYTES], uint8_t pad)
{
    uint8_t padded[BLOCK_BYTES];

    for (size_t i = 0; i < BLOCK_BYTES; i++)
        padded[i] = key[i] ^ pad;
    add(digest, padded, BLOCK_BYTES);
    OPENSSL_cleanse(padded, sizeof(padded));
}

void weir_hmac_sha256(weir_span_t key, const weir_span_t *pieces, size_t count, uint8_t out[WEIR_SHA256_BYTES])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint8_t block[BLOCK_BYTES];

    WEIR_MUST(digest != NULL);
    key_block(digest, key, block);
    begin(digest);
    add_padded(digest, block, 0x36);
    for (size_t i = 0; i < count; i++)
        add(digest, pieces[i].base, pieces[i].len);
    end(digest, out);
    begin(digest);
    add_padded(digest, block, 0x5c);
    add(digest, out, WEIR_SHA256_BYTES);
    end(digest, out);
    OPENSSL_cleanse(block, sizeof(block));
    EVP_MD_CTX_free(digest);
}
