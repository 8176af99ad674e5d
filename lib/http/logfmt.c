/* SPDX-License-Identifier: MIT */
#include "lib/http/logfmt.h"

#include "lib/base/must.h"
#include "lib/base/span.h"

static size_t room(const weir_logfmt_t *line)
{
    return (size_t)(line->end - line->at);
}

/* The caller has looked that there is room. */
static void put(weir_logfmt_t *line, const char *bytes, size_t length)
{
    if (length != 0)
        memcpy(line->at, bytes, length);
    line->at += length;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Writes `key=`, and false if that and `least` bytes more do not fit: then the pair is left out. */
static bool start_pair(weir_logfmt_t *line, const char *key, size_t least)
{
    size_t length = strlen(key), separator = line->at != line->start;

    if (separator + length + 1 + least > room(line))
        return false;
    put(line, " ", separator);
    put(line, key, length);
    put(line, "=", 1);
    return true;
}

void weir_logfmt_begin(weir_logfmt_t *line, char *buffer, size_t capacity)
{
    WEIR_MUST(capacity >= 2);
    *line = (weir_logfmt_t){.start = buffer, .at = buffer, .end = buffer + capacity - 1};
}

static bool needs_quotes(weir_span_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.base[i];
        if (c == ' ' || c == '"' || c == '=' || is_control(c))
            return true;
    }
    return false;
}

void weir_logfmt_text(weir_logfmt_t *line, const char *key, weir_span_t value)
{
    if (needs_quotes(value)) {
        weir_logfmt_quoted(line, key, value);
        return;
    }
    if (!start_pair(line, key, 0))
        return;
    put(line, value.base, value.len < room(line) ? value.len : room(line));
}

/* How `c` looks between double quotes; returns how many bytes that is. */
static size_t escape(char c, char out[static 4])
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    if (c == '"' || c == '\\') {
        out[1] = c;
        return 2;
    }
    if (!is_control(c)) {
        out[0] = c;
        return 1;
    }
    out[1] = 'x';
    out[2] = digits[(unsigned char)c >> 4];
    out[3] = digits[(unsigned char)c & 15];
    return 4;
}

void weir_logfmt_quoted(weir_logfmt_t *line, const char *key, weir_span_t value)
{
    if (!start_pair(line, key, 2))
        return;
    put(line, "\"", 1);
    for (size_t i = 0; i < value.len; i++) {
        char escaped[4];
        size_t length = escape(value.base[i], escaped);

        /* An escape is never cut, and the closing quote always has its place. */
        if (length + 1 > room(line))
            break;
        put(line, escaped, length);
    }
    put(line, "\"", 1);
}

void weir_logfmt_number(weir_logfmt_t *line, const char *key, uint64_t value, const char *unit)
{
    char digits[20];
    weir_span_t number = weir_span_of_u64(value, digits);
    size_t unit_length = strlen(unit);

    /* A number is there or not: half of it would be another one. */
    if (!start_pair(line, key, number.len + unit_length))
        return;
    put(line, number.base, number.len);
    put(line, unit, unit_length);
}

weir_span_t weir_logfmt_end(weir_logfmt_t *line)
{
    *line->at++ = '\n';
    return (weir_span_t){line->start, (size_t)(line->at - line->start)};
}
