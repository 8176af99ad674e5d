/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_WEBSOCKET_H
#define WEIR_WIRE_WEBSOCKET_H
/**
 * @file  The challenge of a WebSocket's HTTP/1.1 handshake (RFC 6455 §4), for clients whose HTTP/2 knows none (RFC 8441 §5).
 */
#include "weir_types.h"

enum { WEIR_WEBSOCKET_NONCE_BYTES = 16, WEIR_WEBSOCKET_KEY_BYTES = 24, WEIR_WEBSOCKET_ACCEPT_BYTES = 28 };

/** Makes a Sec-WebSocket-Key of dice; no NUL behind it. */
void weir_websocket_make_key(const uint8_t nonce[static WEIR_WEBSOCKET_NONCE_BYTES], char key[static WEIR_WEBSOCKET_KEY_BYTES]);

/** Writes the Sec-WebSocket-Accept that answers `key`; no NUL behind it. */
void weir_websocket_answer(const char key[static WEIR_WEBSOCKET_KEY_BYTES], char accept[static WEIR_WEBSOCKET_ACCEPT_BYTES]);

/** Whether `accept`, a Sec-WebSocket-Accept, is the answer to `key`. */
bool weir_websocket_is_answer(const char key[static WEIR_WEBSOCKET_KEY_BYTES], weir_span_t accept);

#endif
