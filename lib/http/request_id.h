/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_REQUEST_ID_H
#define WEIR_HTTP_REQUEST_ID_H
/**
 * @file  Request ids: which of a client's we believe, and how ours look. Pure: randomness is given.
 */
#include "weir_types.h"

enum { WEIR_REQUEST_ID_MIN_BYTES = 20, WEIR_UUID_BYTES = 36 };

/** Whether `id` is WEIR_REQUEST_ID_MIN_BYTES to `max_bytes` long and holds only A-Z a-z 0-9 - + / = */
bool weir_request_id_is_valid(weir_span_t id, size_t max_bytes);

/** Writes a lower-case UUIDv4 (RFC 9562 §5.4) made of 16 random bytes; no NUL. */
void weir_request_id_make(const uint8_t random[static 16], char out[static WEIR_UUID_BYTES]);

#endif
