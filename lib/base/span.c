/* SPDX-License-Identifier: MIT */
#include "lib/base/span.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

weir_span_t weir_span_trim(weir_span_t bytes)
{
    while (bytes.len != 0 && is_blank(bytes.base[bytes.len - 1]))
        bytes.len--;
    while (bytes.len != 0 && is_blank(bytes.base[0])) {
        bytes.base++;
        bytes.len--;
    }
    return bytes;
}

char *weir_append_hex(char *at, const uint8_t *bytes, size_t count)
{
    static const char pairs[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                                "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
                                "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
                                "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
                                "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
                                "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
                                "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                                "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

    for (size_t i = 0; i < count; i++, at += 2)
        memcpy(at, pairs + (size_t)2 * bytes[i], 2);
    return at;
}

bool weir_span_to_u63(weir_span_t digits, uint64_t *out_number)
{
    uint64_t number = 0;

    if (digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.base[i] - '0';
        if (digit > 9 || number > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out_number = number;
    return true;
}

/* Of a number that is not 0. 1233 / 4096 is a little less than the decimal digits in a bit; the table corrects the guess. */
static size_t count_digits(uint64_t number)
{
    static const uint64_t powers[] = {
        1u,
        10u,
        100u,
        1000u,
        10000u,
        100000u,
        1000000u,
        10000000u,
        100000000u,
        1000000000u,
        10000000000u,
        100000000000u,
        1000000000000u,
        10000000000000u,
        100000000000000u,
        1000000000000000u,
        10000000000000000u,
        100000000000000000u,
        1000000000000000000u,
        10000000000000000000u,
    };
    size_t bits = 64 - (size_t)__builtin_clzll(number), guess = bits * 1233 / 4096;

    return guess + (number >= powers[guess]);
}

weir_span_t weir_span_of_u64(uint64_t number, char buffer[static 20])
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    size_t length;
    char *at;

    if (number < 10) {
        buffer[0] = (char)('0' + number);
        return (weir_span_t){buffer, 1};
    }
    length = count_digits(number);
    at = buffer + length;

    /* Two at a time: it is the divisions that cost. */
    while (number >= 100) {
        at -= 2;
        memcpy(at, pairs + 2 * (number % 100), 2);
        number /= 100;
    }
    if (number >= 10)
        memcpy(buffer, pairs + 2 * number, 2);
    else
        buffer[0] = (char)('0' + number);
    return (weir_span_t){buffer, length};
}

bool weir_span_equal_nocase(weir_span_t a, weir_span_t b)
{
    return weir_equal_nocase(a, b);
}

bool weir_span_is(weir_span_t span, const char *text)
{
    return span.base != NULL && weir_span_equal(span, (weir_span_t){text, strlen(text)});
}

bool weir_span_starts_with(weir_span_t span, weir_span_t prefix)
{
    return prefix.len <= span.len && weir_span_equal((weir_span_t){span.base, prefix.len}, prefix);
}

bool weir_span_to_text(weir_span_t span, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (span.len >= size || (span.len != 0 && memchr(span.base, '\0', span.len) != NULL))
        return false;
    *weir_append(buffer, span) = '\0';
    return true;
}

bool weir_span_to_number(weir_span_t span, uint64_t *out_number)
{
    return weir_span_to_u63(span, out_number);
}

/* The next of the parts that `separator` divides; `rest` shrinks. False behind the last. */
static bool next_part(weir_span_t *rest, char separator, weir_span_t *out_part)
{
    const char *end;

    if (rest->base == NULL)
        return false;
    end = rest->len == 0 ? NULL : memchr(rest->base, separator, rest->len);
    if (end == NULL) {
        *out_part = *rest;
        *rest = (weir_span_t){NULL, 0};
        return true;
    }
    *out_part = (weir_span_t){rest->base, (size_t)(end - rest->base)};
    *rest = (weir_span_t){end + 1, rest->len - out_part->len - 1};
    return true;
}

/* Whether `part` is "name=value", or "name" alone; then *out_value is the value. */
static bool is_pair(weir_span_t part, weir_span_t name, bool may_lack_value, weir_span_t *out_value)
{
    if (!weir_span_starts_with(part, name) || part.base == NULL)
        return false;
    if (part.len == name.len) {
        *out_value = (weir_span_t){part.base + part.len, 0};
        return may_lack_value;
    }
    *out_value = (weir_span_t){part.base + name.len + 1, part.len - name.len - 1};
    return part.base[name.len] == '=';
}

weir_span_t weir_span_cookie(weir_span_t header, weir_span_t name)
{
    weir_span_t part, value;

    while (next_part(&header, ';', &part)) {
        if (!is_pair(weir_span_trim(part), name, false, &value))
            continue;
        if (value.len >= 2 && value.base[0] == '"' && value.base[value.len - 1] == '"')
            return (weir_span_t){value.base + 1, value.len - 2};
        return value;
    }
    return (weir_span_t){NULL, 0};
}

weir_span_t weir_span_parameter(weir_span_t query, weir_span_t name)
{
    weir_span_t part, value;

    while (next_part(&query, '&', &part)) {
        if (is_pair(part, name, true, &value))
            return value;
    }
    return (weir_span_t){NULL, 0};
}
