/* SPDX-License-Identifier: MIT */
#include "lib/http/logfmt.h"

#include "lib/base/control.h"
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
        unsigned char c = (unsigned char)value.base[i];
        if (c > ' ' && c < 0x7f && c != '"' && c != '=') /* nearly all */
            continue;
        if (c == ' ' || c == '"' || c == '=' || weir_is_control(value, i))
            return true;
    }
    return false;
}

/* How byte `at` looks between double quotes; returns how many bytes that is. */
static size_t escape(weir_span_t value, size_t at, char out[static 4])
{
    const char c = value.base[at];

    if (weir_is_control(value, at)) {
        weir_escape_byte(c, out);
        return 4;
    }
    out[0] = '\\';
    if (c == '"' || c == '\\') {
        out[1] = c;
        return 2;
    }
    out[0] = c;
    return 1;
}

/* Writes value[from, to), of which an escape is never cut, and the closing quote always has its place. */
static void put_escaped(weir_logfmt_t *line, weir_span_t value, size_t from, size_t to)
{
    for (; from < to; from++) {
        char escaped[4];
        size_t length = escape(value, from, escaped);

        if (length + 1 > room(line))
            return;
        put(line, escaped, length);
    }
}

static const char missing[] = "...";
enum { MISSING = sizeof(missing) - 1 };

/* How many bytes from the beginning, or from the end, fit into `most` when they are escaped. */
static size_t fitting(weir_span_t value, bool is_from_end, size_t most)
{
    size_t count = 0;
    char escaped[4];

    if (value.len <= most / sizeof(escaped))
        return value.len;
    for (; count < value.len; count++) {
        size_t length = escape(value, is_from_end ? value.len - 1 - count : count, escaped);
        if (length > most)
            break;
        most -= length;
    }
    return count;
}

static void put_plain(weir_logfmt_t *line, const char *key, weir_span_t value)
{
    if (start_pair(line, key, 0))
        put(line, value.base, value.len < room(line) ? value.len : room(line));
}

void weir_logfmt_text(weir_logfmt_t *line, const char *key, weir_span_t value)
{
    if (needs_quotes(value))
        weir_logfmt_quoted(line, key, value);
    else
        put_plain(line, key, value);
}

void weir_logfmt_text_most(weir_logfmt_t *line, const char *key, weir_span_t value, size_t most)
{
    if (value.len <= most && !needs_quotes(value))
        put_plain(line, key, value);
    else
        weir_logfmt_quoted_most(line, key, value, most);
}

void weir_logfmt_quoted(weir_logfmt_t *line, const char *key, weir_span_t value)
{
    weir_logfmt_quoted_most(line, key, value, SIZE_MAX);
}

void weir_logfmt_quoted_most(weir_logfmt_t *line, const char *key, weir_span_t value, size_t most)
{
    size_t count = fitting(value, false, most);

    if (!start_pair(line, key, 2))
        return;
    if (count < value.len)
        count = fitting(value, false, most - MISSING);
    put(line, "\"", 1);
    put_escaped(line, value, 0, count);
    if (count < value.len)
        put_escaped(line, (weir_span_t){missing, MISSING}, 0, MISSING);
    put(line, "\"", 1);
}

void weir_logfmt_quoted_end(weir_logfmt_t *line, const char *key, weir_span_t value, size_t most)
{
    size_t count = fitting(value, true, most);

    if (!start_pair(line, key, 2))
        return;
    if (count < value.len)
        count = fitting(value, true, most - MISSING);
    put(line, "\"", 1);
    if (count < value.len)
        put_escaped(line, (weir_span_t){missing, MISSING}, 0, MISSING);
    put_escaped(line, value, value.len - count, value.len);
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
