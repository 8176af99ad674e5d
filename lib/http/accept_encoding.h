/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_ACCEPT_ENCODING_H
#define WEIR_HTTP_ACCEPT_ENCODING_H
/**
 * @file  What a client takes (RFC 9110 §12.5.3). Pure.
 */
#include "weir_types.h"

/**
 * Whether the value of Accept-Encoding takes content in `coding` ("gzip"): it names it, or names "*" and not it, and the weight
 * beside that name is not 0.
 */
bool weir_accepts_coding(weir_span_t value, weir_span_t coding);

#endif
