/* SPDX-License-Identifier: MIT */
/*
 * FastCGI Specification 1.0, §3.3 and §8:
 *
 *   version ┊ type ┊ request (2) ┊ content length (2) ┊ padding length ┊ reserved ┊ content ┊ padding
 */
#include "lib/http/fastcgi.h"

#include <string.h>

enum { VERSION = 1, REQUEST = 1, RESPONDER = 1, KEEP_CONNECTION = 1, SHORT_BYTES_MOST = 127 };

/* The protocol status of an END_REQUEST, §5.5. */
enum { COMPLETE, CANNOT_MULTIPLEX, OVERLOADED, UNKNOWN_ROLE };

/* ---- writing ---- */

void weir_fastcgi_write_head(char out[static WEIR_FASTCGI_HEAD_BYTES], weir_fastcgi_type_t type, size_t content_bytes)
{
    const uint8_t head[WEIR_FASTCGI_HEAD_BYTES] = {
        VERSION, (uint8_t)type, 0, REQUEST, (uint8_t)(content_bytes >> 8), (uint8_t)content_bytes, 0, 0};

    memcpy(out, head, sizeof(head));
}

void weir_fastcgi_write_begin(char out[static WEIR_FASTCGI_BEGIN_BYTES], bool keeps_connection)
{
    const uint8_t body[WEIR_FASTCGI_BEGIN_BYTES - WEIR_FASTCGI_HEAD_BYTES] = {0, RESPONDER,
                                                                              keeps_connection ? KEEP_CONNECTION : 0};

    weir_fastcgi_write_head(out, WEIR_FASTCGI_BEGIN_REQUEST, sizeof(body));
    memcpy(out + WEIR_FASTCGI_HEAD_BYTES, body, sizeof(body));
}

/* §3.4: one byte, or four with the highest bit set. */
static char *write_length(char *at, size_t length)
{
    if (length <= SHORT_BYTES_MOST) {
        *at++ = (char)length;
        return at;
    }
    *at++ = (char)(length >> 24 | 0x80);
    *at++ = (char)(length >> 16);
    *at++ = (char)(length >> 8);
    *at++ = (char)length;
    return at;
}

static char *write_bytes(char *at, weir_span_t bytes)
{
    if (bytes.len != 0)
        memcpy(at, bytes.base, bytes.len);
    return at + bytes.len;
}

char *weir_fastcgi_write_pair(char *at, weir_span_t name, weir_span_t value)
{
    at = write_length(write_length(at, name.len), value.len);
    return write_bytes(write_bytes(at, name), value);
}

/* ---- reading ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static weir_span_t take(weir_span_t *bytes, size_t count)
{
    const weir_span_t taken = {bytes->base, least(bytes->len, count)};

    bytes->base += taken.len;
    bytes->len -= taken.len;
    return taken;
}

static bool is_expected(const weir_fastcgi_reader_t *reader)
{
    const uint8_t *head = reader->head;

    if (head[0] != VERSION || head[2] != 0 || head[3] != REQUEST)
        return false;
    if (head[1] == WEIR_FASTCGI_END_REQUEST)
        return reader->content_left_bytes == WEIR_FASTCGI_END_BYTES;
    return head[1] == WEIR_FASTCGI_STDOUT || head[1] == WEIR_FASTCGI_STDERR;
}

/* Whether the head is complete. */
static bool read_head(weir_fastcgi_reader_t *reader, weir_span_t *bytes)
{
    const weir_span_t piece = take(bytes, (size_t)(WEIR_FASTCGI_HEAD_BYTES - reader->head_count));

    memcpy(reader->head + reader->head_count, piece.base, piece.len);
    reader->head_count = (uint8_t)(reader->head_count + piece.len);
    if (reader->head_count < WEIR_FASTCGI_HEAD_BYTES)
        return false;
    reader->content_left_bytes = (uint32_t)reader->head[4] << 8 | reader->head[5];
    reader->padding_left_bytes = reader->head[6];
    return true;
}

static weir_fastcgi_event_t read_content(weir_fastcgi_reader_t *reader, weir_span_t *bytes, weir_span_t *out)
{
    *out = take(bytes, reader->content_left_bytes);
    reader->content_left_bytes -= (uint32_t)out->len;
    if (reader->head[1] == WEIR_FASTCGI_STDOUT)
        return WEIR_FASTCGI_OUTPUT;
    if (reader->head[1] == WEIR_FASTCGI_STDERR)
        return WEIR_FASTCGI_ERRORS;
    memcpy(reader->end + reader->end_count, out->base, out->len);
    reader->end_count = (uint8_t)(reader->end_count + out->len);
    return WEIR_FASTCGI_MORE;
}

static weir_fastcgi_event_t read_end(weir_fastcgi_reader_t *reader, const weir_fault_t **out_fault)
{
    const uint8_t *end = reader->end;

    reader->exit_status = (uint32_t)end[0] << 24 | (uint32_t)end[1] << 16 | (uint32_t)end[2] << 8 | end[3];
    switch (end[4]) {
    case COMPLETE:
        return WEIR_FASTCGI_END;
    case OVERLOADED:
        *out_fault = &weir_fault_backend_fastcgi_overloaded;
        return WEIR_FASTCGI_BROKEN;
    case CANNOT_MULTIPLEX:
    case UNKNOWN_ROLE:
        *out_fault = &weir_fault_backend_fastcgi_refused;
        return WEIR_FASTCGI_BROKEN;
    default:
        *out_fault = &weir_fault_backend_fastcgi_record;
        return WEIR_FASTCGI_BROKEN;
    }
}

weir_fastcgi_event_t weir_fastcgi_read(weir_fastcgi_reader_t *reader, weir_span_t *bytes, weir_span_t *out,
                                       const weir_fault_t **out_fault)
{
    while (bytes->len > 0) {
        if (reader->head_count < WEIR_FASTCGI_HEAD_BYTES) {
            if (read_head(reader, bytes) && !is_expected(reader)) {
                *out_fault = &weir_fault_backend_fastcgi_record;
                return WEIR_FASTCGI_BROKEN;
            }
        } else if (reader->content_left_bytes > 0) {
            weir_fastcgi_event_t event = read_content(reader, bytes, out);
            if (event != WEIR_FASTCGI_MORE)
                return event;
        } else {
            reader->padding_left_bytes -= (uint32_t)take(bytes, reader->padding_left_bytes).len;
        }
        if (reader->head_count < WEIR_FASTCGI_HEAD_BYTES || reader->content_left_bytes + reader->padding_left_bytes > 0)
            continue;
        reader->head_count = 0;
        if (reader->head[1] == WEIR_FASTCGI_END_REQUEST)
            return read_end(reader, out_fault);
    }
    return WEIR_FASTCGI_MORE;
}
