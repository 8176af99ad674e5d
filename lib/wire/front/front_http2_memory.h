/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FRONT_HTTP2_MEMORY_H
#define WEIR_WIRE_FRONT_HTTP2_MEMORY_H
/**
 * @file  Memory for libnghttp2's sessions, so that an idle connection costs little.
 *
 * A session keeps a buffer for the longest frame as long as it lives, and writes to its first few hundred bytes. Out of
 * malloc's heap it is mostly made of pages that TLS has used and given back: all of it is resident. Here such buffers get whole
 * pages that nobody has touched, and only the first of them becomes real. Small pieces, of which each stream takes several, are
 * kept for the next stream, up to 256 KiB of each of 16 sizes.
 *
 * OWNER    A loop's; one block of pages serves many sessions, and is kept for the next ones.
 * THREAD   The loop's.
 */
#include <nghttp2/nghttp2.h>

typedef struct front_http2_memory front_http2_memory_t;

/** Never NULL: without memory the process ends. */
front_http2_memory_t *front_http2_memory_create(void);

/** Every session made with it must be gone. Nulls the pointer. */
void front_http2_memory_destroy(front_http2_memory_t **memory);

/** For nghttp2_session_server_new3(); as long as the memory. */
nghttp2_mem *front_http2_memory_functions(front_http2_memory_t *memory);

#endif
