/* SPDX-License-Identifier: MIT */
#include "lib/wire/local/gzip.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "lib/base/must.h"

enum {
    GZIP_BITS = 16,     /* added to a window's: gzip, not zlib */
    WINDOW = 15,        /* 2^15 bytes back: the most there is  */
    DEFLATE_MEMORY = 8, /* 2^(8+9) bytes of tables, zlib's default */
    LEVELS = 9,
    DICTIONARY_BYTES = 4096,
    HEAD_BYTES = 10, /* RFC 1952 §2.3 */
    TAIL_BYTES = 8,
    INPUT_BYTES = 4096,   /* of a file, at once */
    OUTPUT_BYTES = 16384, /* least room for output; grows as what comes in one call does */
};

/* ---- compressing ---- */

struct weir_deflater {
    weir_loop_t *loop;
    int level;
    bool has_begun;
    uint32_t checksum, bytes; /* of all that went in; RFC 1952 §2.3.1 */
    char *dictionary;         /* the last of it */
    size_t dictionary_bytes;
    char *out;
    size_t capacity_bytes, size_bytes;
};

struct weir_compressors {
    z_stream of_level[LEVELS + 1];
    bool is_there[LEVELS + 1];
};

void weir_compressors_forget(weir_loop_t *loop)
{
    for (int level = 1; loop->compressors != NULL && level <= LEVELS; level++)
        if (loop->compressors->is_there[level])
            (void)deflateEnd(&loop->compressors->of_level[level]);
    free(loop->compressors);
    loop->compressors = NULL;
}

static struct weir_compressors *compressors_of(weir_loop_t *loop)
{
    if (loop->compressors == NULL)
        loop->compressors = calloc(1, sizeof(*loop->compressors));
    WEIR_MUST(loop->compressors != NULL);
    return loop->compressors;
}

/*
 * RFC 1951 lets what comes behind a flush refer to what came before, and does not ask for it: the loop's compressor, which
 * has worked for others, goes on with a dictionary.
 */
static z_stream *compressor_for(const weir_deflater_t *self)
{
    struct weir_compressors *all = compressors_of(self->loop);
    z_stream *stream = &all->of_level[self->level];
    int result;

    if (all->is_there[self->level])
        result = deflateReset(stream);
    else
        result = deflateInit2(stream, self->level, Z_DEFLATED, -WINDOW, DEFLATE_MEMORY, Z_DEFAULT_STRATEGY);
    all->is_there[self->level] = true;
    if (result == Z_OK && self->dictionary_bytes > 0)
        result = deflateSetDictionary(stream, (const Bytef *)self->dictionary, (uInt)self->dictionary_bytes);
    WEIR_MUST(result == Z_OK);
    return stream;
}

void weir_deflater_free_result(weir_deflater_t *self)
{
    free(self->out);
    self->out = NULL;
    self->capacity_bytes = self->size_bytes = 0;
}

static void close_deflater(void *memory)
{
    weir_deflater_t *self = memory;

    weir_deflater_free_result(self);
    free(self->dictionary);
}

weir_deflater_t *weir_deflater_open(weir_loop_t *loop, h2o_mem_pool_t *pool, int level)
{
    weir_deflater_t *self = h2o_mem_alloc_shared(pool, sizeof(*self), close_deflater);

    WEIR_MUST(level >= 1 && level <= LEVELS);
    memset(self, 0, sizeof(*self));
    self->loop = loop;
    self->level = level;
    self->checksum = (uint32_t)crc32(0, NULL, 0);
    return self;
}

static char *make_room(weir_deflater_t *self, size_t bytes)
{
    if (self->capacity_bytes - self->size_bytes >= bytes)
        return self->out + self->size_bytes;
    self->capacity_bytes = self->capacity_bytes == 0 ? OUTPUT_BYTES : 2 * self->capacity_bytes;
    self->out = realloc(self->out, self->capacity_bytes);
    WEIR_MUST(self->out != NULL);
    return self->out + self->size_bytes;
}

static void run_piece(weir_deflater_t *self, z_stream *stream, h2o_iovec_t piece, int flush)
{
    int result;

    stream->next_in = (Bytef *)piece.base;
    stream->avail_in = (uInt)piece.len;
    do {
        stream->next_out = (Bytef *)make_room(self, 64);
        stream->avail_out = (uInt)(self->capacity_bytes - self->size_bytes);
        result = deflate(stream, flush);
        WEIR_MUST(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        self->size_bytes = self->capacity_bytes - stream->avail_out;
    } while (stream->avail_out == 0);
}

/* Keeps the end of what went in. */
static void remember(weir_deflater_t *self, h2o_iovec_t piece)
{
    size_t kept = self->dictionary_bytes;

    self->checksum = (uint32_t)crc32(self->checksum, (const Bytef *)piece.base, (uInt)piece.len);
    self->bytes += (uint32_t)piece.len;
    if (piece.len > DICTIONARY_BYTES)
        piece = h2o_iovec_init(piece.base + piece.len - DICTIONARY_BYTES, DICTIONARY_BYTES);
    if (self->dictionary == NULL)
        self->dictionary = malloc(DICTIONARY_BYTES);
    WEIR_MUST(self->dictionary != NULL);
    if (kept > DICTIONARY_BYTES - piece.len) {
        memmove(self->dictionary, self->dictionary + kept - (DICTIONARY_BYTES - piece.len), DICTIONARY_BYTES - piece.len);
        kept = DICTIONARY_BYTES - piece.len;
    }
    memcpy(self->dictionary + kept, piece.base, piece.len);
    self->dictionary_bytes = kept + piece.len;
}

static void put_head(weir_deflater_t *self)
{
    static const char head[HEAD_BYTES] = {0x1f, (char)0x8b, 8 /* deflate */, 0, 0, 0, 0, 0, 0, 3 /* Unix */};

    memcpy(make_room(self, sizeof(head)), head, sizeof(head));
    self->size_bytes += sizeof(head);
    self->has_begun = true;
}

static void put_tail(weir_deflater_t *self)
{
    char *at = make_room(self, TAIL_BYTES);

    for (unsigned i = 0; i < 4; i++) {
        at[i] = (char)(self->checksum >> 8 * i);
        at[4 + i] = (char)(self->bytes >> 8 * i);
    }
    self->size_bytes += TAIL_BYTES;
}

h2o_iovec_t weir_deflater_run(weir_deflater_t *self, const h2o_iovec_t *pieces, size_t count, bool is_last)
{
    z_stream *stream = compressor_for(self);

    self->size_bytes = 0;
    if (!self->has_begun)
        put_head(self);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len == 0)
            continue;
        run_piece(self, stream, pieces[i], Z_NO_FLUSH);
        remember(self, pieces[i]);
    }
    run_piece(self, stream, (h2o_iovec_t){NULL, 0}, is_last ? Z_FINISH : Z_SYNC_FLUSH);
    if (is_last)
        put_tail(self);
    return h2o_iovec_init(self->out, self->size_bytes);
}

/* ---- reading what was compressed ---- */

struct weir_gunzip {
    z_stream stream;
    int fd;
    off_t at_bytes, size_bytes;
    bool is_over;
    char in[INPUT_BYTES];
};

static void close_gunzip(void *memory)
{
    (void)inflateEnd(&((weir_gunzip_t *)memory)->stream);
}

weir_gunzip_t *weir_gunzip_open(h2o_mem_pool_t *pool, int fd, off_t size_bytes)
{
    weir_gunzip_t *self = h2o_mem_alloc_shared(pool, sizeof(*self), close_gunzip);

    memset(self, 0, offsetof(weir_gunzip_t, in));
    self->fd = fd;
    self->size_bytes = size_bytes;
    const int result = inflateInit2(&self->stream, WINDOW + GZIP_BITS);
    WEIR_MUST(result == Z_OK);
    return self;
}

static bool fill(weir_gunzip_t *self)
{
    ssize_t got;

    do
        got = pread(self->fd, self->in, sizeof(self->in), self->at_bytes);
    while (got == -1 && errno == EINTR);
    if (got <= 0)
        return false;
    self->at_bytes += got;
    self->stream.next_in = (Bytef *)self->in;
    self->stream.avail_in = (uInt)got;
    return true;
}

/* Behind a member another may follow (RFC 1952 §2.2). */
static bool end_member(weir_gunzip_t *self)
{
    self->is_over = self->stream.avail_in == 0 && self->at_bytes >= self->size_bytes;
    return self->is_over || inflateReset(&self->stream) == Z_OK;
}

ssize_t weir_gunzip_read(weir_gunzip_t *self, char *to, size_t room_bytes)
{
    z_stream *stream = &self->stream;

    stream->next_out = (Bytef *)to;
    stream->avail_out = (uInt)room_bytes;
    while (stream->avail_out > 0 && !self->is_over) {
        if (stream->avail_in == 0 && !fill(self))
            return -1;
        const int result = inflate(stream, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END)
            return -1;
        if (result == Z_STREAM_END && !end_member(self))
            return -1;
    }
    return (ssize_t)(room_bytes - stream->avail_out);
}
