/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FRONT_HTTP2_MEMORY_H
#define WEIR_WIRE_FRONT_HTTP2_MEMORY_H
/**
 * @file  Memory for libnghttp2's sessions, so that an idle connection costs little.
 *
 * What a session takes while it is made it keeps as long as it lives: itself, a table of streams, HPACK's two, and a buffer
 * for the longest frame, 26 KiB together, of which mostly zeroes are ever seen. All of that lies together in pages of its own,
 * the session's region. A session that has nothing to do sleeps: what is not zero is put away, some hundred bytes, and the
 * kernel gets the pages back. It wakes at the same addresses, so that libnghttp2 does not notice.
 *
 * Small pieces, of which each stream takes several, are kept for the next stream, up to 256 KiB of each of 16 sizes.
 *
 * OWNER    The memory is a loop's, a region its connection's.
 * THREAD   The loop's.
 */
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct front_http2_memory front_http2_memory_t;

/** One session's memory; zeroed before front_http2_region_begin(), and not moved from then on. */
typedef struct front_http2_region {
    front_http2_memory_t *memory;
    char *pages;                /* NULL: the kernel had none, everything is the heap's      */
    size_t used_bytes;          /* of them                                                  */
    size_t frame_at, frame_end; /* the buffer for frames: dead unless one is being sent */
    uint64_t *put_away;         /* which words are not zero, and these; NULL while awake */
    bool is_open;               /* its session is being made                       */
} front_http2_region_t;

/** Never NULL: without memory the process ends. */
front_http2_memory_t *front_http2_memory_create(void);

/** Every region must have ended. Nulls the pointer. */
void front_http2_memory_destroy(front_http2_memory_t **memory);

/** Before nghttp2_session_server_new3(). */
void front_http2_region_begin(front_http2_region_t *region, front_http2_memory_t *memory);

/** For nghttp2_session_server_new3(), which copies it. */
nghttp2_mem front_http2_region_functions(front_http2_region_t *region);

/** Behind nghttp2_session_server_new3(): what is allocated from here on comes and goes. */
void front_http2_region_close(front_http2_region_t *region);

/**
 * Gives the pages back to the kernel. The session must not be touched until front_http2_region_wake(), and nothing of it may be
 * half sent: nghttp2_session_mem_send() has returned 0. False if that is not possible here; then nothing was done.
 */
bool front_http2_region_sleep(front_http2_region_t *region);

/** The session is as it was. Harmless on one that is awake. */
void front_http2_region_wake(front_http2_region_t *region);

/** Behind nghttp2_session_del(), before which it must be awake. */
void front_http2_region_end(front_http2_region_t *region);

#endif
