/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_SIPHASH_H
#define WEIR_BASE_SIPHASH_H
/**
 * @file  SipHash-2-4 (Aumasson and Bernstein, 2012): a fast keyed hash of 64 bits; who does not know the key cannot aim. Pure.
 */
#include "weir_types.h"

/** Of `bytes`, under a key of 128 bits in two halves, as they stand in little-endian order. */
uint64_t weir_siphash_of(const uint64_t key[static 2], weir_span_t bytes);

#endif
