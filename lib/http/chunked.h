/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_CHUNKED_H
#define WEIR_HTTP_CHUNKED_H
/**
 * @file  The chunked coding (RFC 9112 §7.1), incrementally: any split of the input gives the same result.
 *
 * Strict: 1 to 16 hex digits (at most 2^63-1), no whitespace around the size, CRLF only, extensions skipped within a limit
 * (with quoted strings honoured), trailers checked like headers and kept within a limit.
 */
#include "lib/base/fault.h"
#include "lib/http/headers.h"

enum {
    WEIR_CHUNK_EXTENSION_BYTES = 4096, /* most extension bytes behind one size            */
    WEIR_CHUNK_TRAILER_BYTES = 16384,  /* most bytes of the trailer section, if nobody says otherwise */
    WEIR_CHUNK_TRAILER_COUNT = 100,    /* most lines of it                                */
};

/** Zeroed before the first byte of a body, but for its limit. */
typedef struct weir_chunk_decoder {
    uint8_t state;
    uint8_t digits;
    bool in_quotes;
    bool has_long_trailers;       /* BROKEN, because of a limit of the trailers */
    uint32_t trailer_limit_bytes; /* 0: WEIR_CHUNK_TRAILER_BYTES                */
    uint64_t remaining_bytes;     /* of the current chunk */
    size_t extension_bytes;
    size_t trailer_bytes;
    char *trailer; /* raw lines with CRLF, in the arena, once there are any */
} weir_chunk_decoder_t;

typedef enum weir_chunk_event {
    WEIR_CHUNK_MORE,   /* everything is consumed; more bytes are needed */
    WEIR_CHUNK_DATA,   /* *out_data is payload, inside the given bytes  */
    WEIR_CHUNK_END,    /* the last byte of the coding was consumed      */
    WEIR_CHUNK_BROKEN, /* not chunked coding; the decoder must not be used again */
} weir_chunk_event_t;

/**
 * Takes the next step: consumes some of `*bytes` (which shrinks from the front) and tells what it found. Call it until MORE,
 * END or BROKEN. Bytes after END belong to the next message. `arena` keeps trailer bytes, nothing else.
 */
weir_chunk_event_t weir_chunk_decode(weir_chunk_decoder_t *decoder, weir_arena_t *arena, weir_span_t *bytes,
                                     weir_span_t *out_data);

/** How many payload bytes of the current chunk are still to come; 0 between chunks. */
uint64_t weir_chunk_remaining(const weir_chunk_decoder_t *decoder);

/**
 * After END: the trailer fields, into `out` (grows in `arena`). Framing and routing fields among them are left out (RFC 9110
 * §6.5.1).
 */
void weir_chunk_trailers(const weir_chunk_decoder_t *decoder, weir_arena_t *arena, weir_headers_t *out);

/** Whether a field of this name may stand in a trailer section, and so be passed on behind a body. */
bool weir_chunk_may_trail(weir_span_t name);

/** The last chunk with these trailer fields, in the arena; "0\r\n\r\n" if there are none. */
weir_span_t weir_chunk_last(weir_arena_t *arena, const weir_headers_t *trailers);

/** Writes the size line of a chunk ("1a\r\n"); `out` holds at least 18 bytes. Returns its length. */
size_t weir_chunk_size_line(uint64_t data_bytes, char out[static 18]);

#endif
