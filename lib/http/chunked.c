/* SPDX-License-Identifier: MIT */
/*
 *          ┌──────────────────────── LF ◀─ DATA_LF ◀─ CR ◀─ DATA_CR ◀─ last byte ─┐
 *          ▼                                                                      │
 *   SIZE ─┬─ CR ──────────────────────▶ SIZE_LF ─ LF, size > 0 ─────────────────▶ DATA
 *         └─ ";" ▶ EXTENSION ─ CR ─────▲   │ LF, size 0
 *                   │  ▲                   ▼
 *                   ▼  │              TRAILER_START ─ CR ▶ END_LF ─ LF ▶ ENDED
 *              EXTENSION_ESCAPE         │        ▲
 *                                 TRAILER_NAME   └── LF ─ TRAILER_LF
 *                                       └─ ":" ▶ TRAILER_VALUE ─ CR ─▲
 *
 * Any byte that has no arrow leads to BROKEN, which is final.
 */
#include "lib/http/chunked.h"

#include "lib/base/span.h"
#include "lib/http/head_scan.h"

typedef enum state {
    SIZE, /* zero, as a decoder begins */
    SIZE_LF,
    EXTENSION,
    EXTENSION_ESCAPE,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    ENDED,
    BROKEN,
} state_t;

enum { MOST_DIGITS = 16, FIRST_TRAILER_BYTES = 256 };

/* RFC 9110 §6.5.1: what must not come late, besides every field that has an id. */
static const weir_span_t unfit_for_trailers[] = {
    {"age", 3},
    {"authorization", 13},
    {"cache-control", 13},
    {"content-encoding", 16},
    {"content-range", 13},
    {"content-type", 12},
    {"cookie", 6},
    {"expires", 7},
    {"forwarded", 9},
    {"http2-settings", 14},
    {"if-match", 8},
    {"if-modified-since", 17},
    {"if-none-match", 13},
    {"if-range", 8},
    {"if-unmodified-since", 19},
    {"location", 8},
    {"max-forwards", 12},
    {"pragma", 6},
    {"proxy-authentication-info", 25},
    {"range", 5},
    {"retry-after", 11},
    {"vary", 4},
    {"www-authenticate", 16},
    {"x-forwarded-host", 16},
};

static state_t after_size(weir_chunk_decoder_t *decoder, char c)
{
    int digit = weir_hex_value(c);

    if (digit >= 0) {
        if (decoder->digits == MOST_DIGITS || decoder->remaining_bytes > INT64_MAX >> 4)
            return BROKEN;
        decoder->digits++;
        decoder->remaining_bytes = decoder->remaining_bytes << 4 | (unsigned)digit;
        return SIZE;
    }
    if (decoder->digits == 0)
        return BROKEN;
    if (c == '\r')
        return SIZE_LF;
    if (c != ';')
        return BROKEN;
    decoder->extension_bytes = 1;
    return EXTENSION;
}

/* What the extension says is nobody's business; that it ends where everybody thinks it ends, is. */
static state_t after_extension(weir_chunk_decoder_t *decoder, char c)
{
    if (c == '\r')
        return decoder->in_quotes ? BROKEN : SIZE_LF;
    if (!weir_char_is(c, WEIR_CHAR_FIELD) || ++decoder->extension_bytes > WEIR_CHUNK_EXTENSION_BYTES)
        return BROKEN;
    if (decoder->state == EXTENSION_ESCAPE)
        return EXTENSION;
    if (c == '"')
        decoder->in_quotes = !decoder->in_quotes;
    return decoder->in_quotes && c == '\\' ? EXTENSION_ESCAPE : EXTENSION;
}

static state_t after_size_line(weir_chunk_decoder_t *decoder, char c)
{
    if (c != '\n')
        return BROKEN;
    decoder->digits = 0; /* from here on it counts trailer lines */
    return decoder->remaining_bytes == 0 ? TRAILER_START : DATA;
}

/* The buffer's size follows from how much is in it: the next power of two. */
static bool keep_trailer_byte(weir_chunk_decoder_t *decoder, weir_arena_t *arena, char c)
{
    size_t length = decoder->trailer_bytes;

    if (length == (decoder->trailer_limit_bytes != 0 ? decoder->trailer_limit_bytes : WEIR_CHUNK_TRAILER_BYTES))
        return false;
    if (length == 0)
        decoder->trailer = weir_arena_alloc(arena, FIRST_TRAILER_BYTES);
    if (length >= FIRST_TRAILER_BYTES && (length & (length - 1)) == 0) {
        char *larger = weir_arena_alloc(arena, length * 2);
        memcpy(larger, decoder->trailer, length);
        decoder->trailer = larger;
    }
    decoder->trailer[decoder->trailer_bytes++] = c;
    return true;
}

static state_t end_too_long(weir_chunk_decoder_t *decoder)
{
    decoder->has_long_trailers = true;
    return BROKEN;
}

static state_t after_trailer_byte(weir_chunk_decoder_t *decoder, weir_arena_t *arena, char c)
{
    state_t from = decoder->state;

    if (from == TRAILER_START && c == '\r')
        return END_LF;
    if (from == TRAILER_START && decoder->digits == WEIR_CHUNK_TRAILER_COUNT)
        return end_too_long(decoder);
    if (!keep_trailer_byte(decoder, arena, c))
        return end_too_long(decoder);
    if (from == TRAILER_LF) {
        decoder->digits++;
        return c == '\n' ? TRAILER_START : BROKEN;
    }
    if (from == TRAILER_VALUE) {
        if (c == '\r')
            return TRAILER_LF;
        return weir_char_is(c, WEIR_CHAR_FIELD) ? TRAILER_VALUE : BROKEN;
    }
    if (from == TRAILER_NAME && c == ':')
        return TRAILER_VALUE;
    return weir_char_is(c, WEIR_CHAR_TOKEN) ? TRAILER_NAME : BROKEN;
}

/* Where one byte leads; not in DATA, where bytes are not looked at. */
static state_t after_byte(weir_chunk_decoder_t *decoder, weir_arena_t *arena, char c)
{
    switch ((state_t)decoder->state) {
    case SIZE:
        return after_size(decoder, c);
    case EXTENSION:
    case EXTENSION_ESCAPE:
        return after_extension(decoder, c);
    case SIZE_LF:
        return after_size_line(decoder, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : BROKEN;
    case DATA_LF:
        return c == '\n' ? SIZE : BROKEN;
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
        return after_trailer_byte(decoder, arena, c);
    case END_LF:
        return c == '\n' ? ENDED : BROKEN;
    case DATA:
    case ENDED:
    case BROKEN:
        break;
    }
    return BROKEN;
}

static void take_data(weir_chunk_decoder_t *decoder, weir_span_t *bytes, weir_span_t *out_data)
{
    *out_data = *bytes;
    if (out_data->len > decoder->remaining_bytes)
        out_data->len = (size_t)decoder->remaining_bytes;
    bytes->base += out_data->len;
    bytes->len -= out_data->len;
    decoder->remaining_bytes -= out_data->len;
    if (decoder->remaining_bytes == 0)
        decoder->state = DATA_CR;
}

weir_chunk_event_t weir_chunk_decode(weir_chunk_decoder_t *decoder, weir_arena_t *arena, weir_span_t *bytes,
                                     weir_span_t *out_data)
{
    while (decoder->state != ENDED && decoder->state != BROKEN) {
        if (bytes->len == 0)
            return WEIR_CHUNK_MORE;
        if (decoder->state == DATA) {
            take_data(decoder, bytes, out_data);
            return WEIR_CHUNK_DATA;
        }
        decoder->state = (uint8_t)after_byte(decoder, arena, *bytes->base);
        bytes->base++;
        bytes->len--;
    }
    return decoder->state == ENDED ? WEIR_CHUNK_END : WEIR_CHUNK_BROKEN;
}

uint64_t weir_chunk_remaining(const weir_chunk_decoder_t *decoder)
{
    return decoder->state == DATA ? decoder->remaining_bytes : 0;
}

bool weir_chunk_may_trail(weir_span_t name)
{
    if (weir_header_id(name) != WEIR_HEADER_OTHER)
        return false;
    for (size_t i = 0; i < sizeof(unfit_for_trailers) / sizeof(unfit_for_trailers[0]); i++) {
        if (weir_equal_nocase(name, unfit_for_trailers[i]))
            return false;
    }
    return true;
}

void weir_chunk_trailers(const weir_chunk_decoder_t *decoder, weir_arena_t *arena, weir_headers_t *out)
{
    const char *at = decoder->trailer, *end;

    if (decoder->trailer_bytes == 0)
        return;
    end = at + decoder->trailer_bytes;
    /* Every line was checked on its way in: it has its colon and its CRLF. */
    while (at != end) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        const char *line_end = memchr(colon, '\r', (size_t)(end - colon));
        weir_span_t name = {at, (size_t)(colon - at)};
        weir_span_t value = {colon + 1, (size_t)(line_end - colon) - 1};

        if (weir_chunk_may_trail(name))
            weir_headers_add(out, arena, name, weir_span_trim(value));
        at = line_end + 2;
    }
}

size_t weir_chunk_size_line(uint64_t data_bytes, char out[static 18])
{
    size_t digits = 1, at;

    while (digits < MOST_DIGITS && data_bytes >> (4 * digits) != 0)
        digits++;
    for (at = 0; at < digits; at++)
        out[at] = "0123456789abcdef"[data_bytes >> (4 * (digits - 1 - at)) & 15];
    out[at++] = '\r';
    out[at++] = '\n';
    return at;
}

static char *append(char *at, weir_span_t bytes)
{
    memcpy(at, bytes.base, bytes.len);
    return at + bytes.len;
}

weir_span_t weir_chunk_last(weir_arena_t *arena, const weir_headers_t *trailers)
{
    if (trailers->count == 0)
        return WEIR_SPAN("0\r\n\r\n");
    size_t size = 5;
    for (size_t i = 0; i < trailers->count; i++)
        size += trailers->at[i].name.len + trailers->at[i].value.len + 4;
    char *text = weir_arena_alloc(arena, size), *at = append(text, WEIR_SPAN("0\r\n"));
    for (size_t i = 0; i < trailers->count; i++) {
        at = append(append(at, trailers->at[i].name), WEIR_SPAN(": "));
        at = append(append(at, trailers->at[i].value), WEIR_SPAN("\r\n"));
    }
    at = append(at, WEIR_SPAN("\r\n"));
    return (weir_span_t){text, (size_t)(at - text)};
}
