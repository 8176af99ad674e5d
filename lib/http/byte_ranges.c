/* SPDX-License-Identifier: MIT */
#include "lib/http/byte_ranges.h"

#include "lib/base/span.h"
#include "lib/http/token_list.h"

/* ---- ranges ---- */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Digits; a number that does not fit is as good as the largest, for no file is so long. */
static bool read_position(weir_span_t digits, uint64_t *out)
{
    if (digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.base[i] < '0' || digits.base[i] > '9')
            return false;
    if (!weir_span_to_u63(digits, out))
        *out = INT64_MAX;
    return true;
}

/* A range-spec of §14.1.1. False if it is none; length_bytes 0: it is one, and cannot be satisfied. */
static bool read_range(weir_span_t spec, uint64_t size_bytes, weir_byte_range_t *out)
{
    const char *dash = memchr(spec.base, '-', spec.len);
    uint64_t first, last = INT64_MAX;

    if (dash == NULL)
        return false;
    const weir_span_t before = {spec.base, (size_t)(dash - spec.base)};
    const weir_span_t behind = {dash + 1, spec.len - before.len - 1};
    if (before.len == 0) { /* the last so many */
        if (!read_position(behind, &last))
            return false;
        const uint64_t length_bytes = smaller(last, size_bytes);
        *out = (weir_byte_range_t){size_bytes - length_bytes, length_bytes};
        return true;
    }
    if (!read_position(before, &first) || (behind.len > 0 && !read_position(behind, &last)) || last < first)
        return false;
    *out = (weir_byte_range_t){first, first < size_bytes ? smaller(last, size_bytes - 1) - first + 1 : 0};
    return true;
}

static bool touches(const weir_byte_range_t *a, const weir_byte_range_t *b)
{
    return a->first <= b->first + b->length_bytes && b->first <= a->first + a->length_bytes;
}

/* Puts it in, and whatever it touches into it; at most WEIR_BYTE_RANGES_MOST are looked at. */
static void merge(weir_byte_range_t *ranges, size_t *count, weir_byte_range_t range)
{
    size_t place = *count;

    for (size_t i = 0; i < *count;) {
        if (!touches(&ranges[i], &range)) {
            i++;
            continue;
        }
        const uint64_t end = ranges[i].first + ranges[i].length_bytes, own_end = range.first + range.length_bytes;
        range.first = smaller(range.first, ranges[i].first);
        range.length_bytes = (end > own_end ? end : own_end) - range.first;
        if (place > i)
            place = i;
        for (size_t j = i; j + 1 < *count; j++)
            ranges[j] = ranges[j + 1];
        (*count)--;
        i = 0; /* it is longer now */
    }
    for (size_t j = *count; j > place; j--)
        ranges[j] = ranges[j - 1];
    ranges[place] = range;
    (*count)++;
}

weir_ranges_t weir_byte_ranges_read(weir_span_t value, uint64_t size_bytes,
                                    weir_byte_range_t out_ranges[static WEIR_BYTE_RANGES_MOST], size_t *out_count)
{
    const weir_span_t unit = WEIR_SPAN("bytes=");
    size_t said = 0;
    weir_span_t spec;

    *out_count = 0;
    if (value.len < unit.len || !weir_equal_nocase((weir_span_t){value.base, unit.len}, unit))
        return WEIR_RANGES_IGNORED;
    value = (weir_span_t){value.base + unit.len, value.len - unit.len};
    while (weir_token_list_next(&value, &spec)) {
        weir_byte_range_t range;
        if (++said > WEIR_BYTE_RANGES_MOST || !read_range(spec, size_bytes, &range))
            return WEIR_RANGES_IGNORED;
        if (range.length_bytes > 0)
            merge(out_ranges, out_count, range);
    }
    if (said == 0)
        return WEIR_RANGES_IGNORED;
    return *out_count > 0 ? WEIR_RANGES_SOME : WEIR_RANGES_UNSATISFIABLE;
}

/* ---- entity tags ---- */

static bool is_weak(weir_span_t etag)
{
    return etag.len >= 2 && etag.base[0] == 'W' && etag.base[1] == '/';
}

static weir_span_t opaque_of(weir_span_t etag)
{
    return is_weak(etag) ? (weir_span_t){etag.base + 2, etag.len - 2} : etag;
}

/* The entity tag that `text` begins with; empty if it begins with none. Commas may stand in it. */
static weir_span_t first_etag(weir_span_t text)
{
    size_t at = is_weak(text) ? 2 : 0;

    if (at >= text.len || text.base[at] != '"')
        return (weir_span_t){text.base, 0};
    for (at++; at < text.len && text.base[at] != '"'; at++) {
        const unsigned char c = (unsigned char)text.base[at];
        if (c <= 0x20 || c == 0x7f)
            return (weir_span_t){text.base, 0};
    }
    return (weir_span_t){text.base, at < text.len ? at + 1 : 0};
}

bool weir_is_etag(weir_span_t text)
{
    return text.len > 0 && first_etag(text).len == text.len;
}

bool weir_etags_have(weir_span_t list, weir_span_t etag, bool is_strong)
{
    list = weir_span_trim(list);
    if (weir_span_equal(list, WEIR_SPAN("*")))
        return true;
    while (list.len > 0) {
        const weir_span_t said = first_etag(list);
        if (said.len == 0)
            return false;
        if (weir_span_equal(opaque_of(said), opaque_of(etag)) && !(is_strong && (is_weak(said) || is_weak(etag))))
            return true;
        list = (weir_span_t){list.base + said.len, list.len - said.len};
        while (list.len > 0 && (list.base[0] == ',' || list.base[0] == ' ' || list.base[0] == '\t'))
            list = (weir_span_t){list.base + 1, list.len - 1};
    }
    return false;
}
