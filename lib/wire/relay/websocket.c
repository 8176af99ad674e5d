/* SPDX-License-Identifier: MIT */
#include "lib/wire/relay/websocket.h"

#include <openssl/evp.h>

#include "lib/base/must.h"
#include "lib/base/span.h"

enum { SHA1_BYTES = 20 };

void weir_websocket_make_key(const uint8_t nonce[static WEIR_WEBSOCKET_NONCE_BYTES], char key[static WEIR_WEBSOCKET_KEY_BYTES])
{
    unsigned char text[WEIR_WEBSOCKET_KEY_BYTES + 1]; /* OpenSSL puts a NUL behind it */

    WEIR_MUST(EVP_EncodeBlock(text, nonce, WEIR_WEBSOCKET_NONCE_BYTES) == WEIR_WEBSOCKET_KEY_BYTES);
    memcpy(key, text, WEIR_WEBSOCKET_KEY_BYTES);
}

void weir_websocket_answer(const char key[static WEIR_WEBSOCKET_KEY_BYTES], char accept[static WEIR_WEBSOCKET_ACCEPT_BYTES])
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
    char question[WEIR_WEBSOCKET_KEY_BYTES + sizeof(suffix) - 1];
    unsigned char digest[SHA1_BYTES], answer[WEIR_WEBSOCKET_ACCEPT_BYTES + 1];

    memcpy(question, key, WEIR_WEBSOCKET_KEY_BYTES);
    memcpy(question + WEIR_WEBSOCKET_KEY_BYTES, suffix, sizeof(suffix) - 1);
    WEIR_MUST(EVP_Digest(question, sizeof(question), digest, NULL, EVP_sha1(), NULL) == 1);
    (void)EVP_EncodeBlock(answer, digest, sizeof(digest));
    memcpy(accept, answer, WEIR_WEBSOCKET_ACCEPT_BYTES);
}

bool weir_websocket_is_answer(const char key[static WEIR_WEBSOCKET_KEY_BYTES], weir_span_t accept)
{
    char answer[WEIR_WEBSOCKET_ACCEPT_BYTES];

    weir_websocket_answer(key, answer);
    return weir_span_equal(accept, (weir_span_t){answer, sizeof(answer)});
}
