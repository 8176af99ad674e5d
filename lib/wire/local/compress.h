/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_COMPRESS_H
#define WEIR_WIRE_LOCAL_COMPRESS_H
/**
 * @file  Responses compressed on their way to the client: what stands behind `compress`.
 *
 * A response with status 200 whose type is worth it, or whose X-Compress-Hint is "on", gets Content-Encoding: gzip if the
 * client takes that (RFC 9110 §12.5.3) and speaks HTTP/1.1 or later. A strong ETag becomes a weak one, for the bytes are
 * others (§8.8.1); HEAD is answered with the head of GET (§9.3.2). Left alone: what is coded already, what carries a digest
 * of its bytes, what is shorter than the least, X-Compress-Hint: off, and Cache-Control: no-transform in request or
 * response (§7.7). X-Compress-Hint goes no further than here.
 *
 * THREAD   Registration: where the configuration is loaded.
 */
#include <h2o.h>

/** Has responses of `path` of `least_bytes` or more (or of unknown length) compressed with zlib's `level`, 1 to 9. */
void weir_compress_register(h2o_pathconf_t *path, int level, size_t least_bytes);

#endif
