/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DIGEST_H
#define WEIR_DIGEST_H
/**
 * @file  Keyed digests. Pure, any thread.
 */
#include "weir_types.h"

WEIR_C_BEGIN

enum { WEIR_SHA256_BYTES = 32 };

/**
 * HMAC-SHA256 (RFC 2104, FIPS 180-4) of the pieces, as if they stood behind each other: who does not know the key can neither
 * make nor change one. `key` may be of any length; 32 bytes are right.
 */
WEIR_API void weir_hmac_sha256(weir_span_t key, const weir_span_t *pieces, size_t count, uint8_t out[WEIR_SHA256_BYTES]);

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): fast, 64 bits, for tables and choices; who does not know the key cannot aim. The
 * key's halves are as they stand in little-endian order.
 */
WEIR_API uint64_t weir_siphash(const uint64_t key[2], weir_span_t bytes);

WEIR_C_END

#endif
