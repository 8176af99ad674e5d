/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_GZIP_H
#define WEIR_WIRE_LOCAL_GZIP_H
/**
 * @file  zlib, both ways, for one response at a time. libh2o's own ends the process when a file is no gzip.
 *
 * Between two calls a response that is compressed has but the last 4 KiB that went in: what zlib needs while it works, some
 * 260 KiB, is the loop's, and stands before each call as if it had seen only those. A client that reads slowly, and a hundred
 * streams that nobody reads, hold none of it.
 *
 * OWNER    The request's pool: all memory goes with it.
 * THREAD   The request's loop.
 */
#include <stdbool.h>
#include <sys/types.h>

#include <h2o.h>

#include "lib/wire/loop/loop.h"

typedef struct weir_deflater weir_deflater_t;
typedef struct weir_gunzip weir_gunzip_t;

/** Of `level` 1 to 9. */
weir_deflater_t *weir_deflater_open(weir_loop_t *loop, h2o_mem_pool_t *pool, int level);

/**
 * Compresses the pieces, and all that is still inside: what comes out can be read to the last byte that went in. The result
 * lives until the next call or the end of the pool.
 */
h2o_iovec_t weir_deflater_run(weir_deflater_t *self, const h2o_iovec_t *pieces, size_t count, bool is_last);

/** What the last call has returned is not needed any more. */
void weir_deflater_free_result(weir_deflater_t *self);

/** Frees what the loop has for compressing. */
void weir_compressors_forget(weir_loop_t *loop);

/** Reads the gzip file `fd`, of `size_bytes`, from its beginning; the descriptor stays the caller's. */
weir_gunzip_t *weir_gunzip_open(h2o_mem_pool_t *pool, int fd, off_t size_bytes);

/** At most `room_bytes` of what was compressed; less only at its end, 0 behind it. -1: no gzip, cut short, or unreadable. */
ssize_t weir_gunzip_read(weir_gunzip_t *self, char *to, size_t room_bytes);

#endif
