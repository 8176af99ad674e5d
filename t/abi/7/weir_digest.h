/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DIGEST_H
#define WEIR_DIGEST_H 
#include "weir_types.h"
WEIR_C_BEGIN
enum { WEIR_SHA256_BYTES = 32 };
WEIR_API void weir_hmac_sha256(weir_span_t key, const weir_span_t *pieces, size_t count, uint8_t out[WEIR_SHA256_BYTES]);
WEIR_API uint64_t weir_siphash(const uint64_t key[2], weir_span_t bytes);
WEIR_C_END
#endif
