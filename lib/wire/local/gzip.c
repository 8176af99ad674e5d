/* SPDX-License-Identifier: MIT */
#include "lib/wire/local/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>

#include "lib/base/must.h"

enum {
    GZIP_BITS = 16,       /* added to a window's: gzip, not zlib */
    DEFLATE_WINDOW = 13,  /* 2^13 bytes back */
    DEFLATE_MEMORY = 7,   /* 2^(7+9) bytes of tables */
    INFLATE_WINDOW = 15,  /* whatever there is */
    INPUT_BYTES = 4096,   /* of a file, at once */
    OUTPUT_BYTES = 16384, /* least room for output; grows as what comes in one call does */
};

/* ---- compressing ---- */

struct weir_deflater {
    z_stream stream;
    char *out;
    size_t capacity_bytes, size_bytes;
};

static void close_deflater(void *memory)
{
    weir_deflater_t *self = memory;

    (void)deflateEnd(&self->stream);
    free(self->out);
}

weir_deflater_t *weir_deflater_open(h2o_mem_pool_t *pool, int level)
{
    weir_deflater_t *self = h2o_mem_alloc_shared(pool, sizeof(*self), close_deflater);

    memset(self, 0, sizeof(*self));
    const int result =
        deflateInit2(&self->stream, level, Z_DEFLATED, DEFLATE_WINDOW + GZIP_BITS, DEFLATE_MEMORY, Z_DEFAULT_STRATEGY);
    WEIR_MUST(result == Z_OK);
    return self;
}

static void make_room(weir_deflater_t *self)
{
    if (self->capacity_bytes - self->size_bytes >= 64)
        return;
    self->capacity_bytes = self->capacity_bytes == 0 ? OUTPUT_BYTES : 2 * self->capacity_bytes;
    self->out = realloc(self->out, self->capacity_bytes);
    WEIR_MUST(self->out != NULL);
}

static void run_piece(weir_deflater_t *self, h2o_iovec_t piece, int flush)
{
    z_stream *stream = &self->stream;
    int result;

    stream->next_in = (Bytef *)piece.base;
    stream->avail_in = (uInt)piece.len;
    do {
        make_room(self);
        stream->next_out = (Bytef *)self->out + self->size_bytes;
        stream->avail_out = (uInt)(self->capacity_bytes - self->size_bytes);
        result = deflate(stream, flush);
        WEIR_MUST(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        self->size_bytes = self->capacity_bytes - stream->avail_out;
    } while (stream->avail_out == 0);
}

h2o_iovec_t weir_deflater_run(weir_deflater_t *self, const h2o_iovec_t *pieces, size_t count, bool is_last)
{
    self->size_bytes = 0;
    for (size_t i = 0; i < count; i++)
        run_piece(self, pieces[i], Z_NO_FLUSH);
    run_piece(self, (h2o_iovec_t){NULL, 0}, is_last ? Z_FINISH : Z_SYNC_FLUSH);
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
    const int result = inflateInit2(&self->stream, INFLATE_WINDOW + GZIP_BITS);
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
