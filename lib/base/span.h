/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_SPAN_H
#define WEIR_BASE_SPAN_H
/**
 * @file  Small questions about borrowed bytes. Case rules are ASCII's, whatever the locale.
 */
#include "weir_span.h"

/** Whether nothing in it would end a line, and so begin another one of somebody else's choice. */
static inline bool weir_is_one_line(weir_span_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.base[i] == '\r' || value.base[i] == '\n' || value.base[i] == '\0')
            return false;
    }
    return true;
}

/** The lower-case form of an ASCII letter; any other byte as it is. */
static inline char weir_lower(char c)
{
    return (unsigned char)(c - 'A') < 26 ? (char)(c + 32) : c;
}

/** What a hexadecimal digit is worth, in either case; -1: it is none. */
static inline int weir_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = weir_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** Eight bytes as they lie in memory. */
static inline uint64_t weir_word(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/** Four of them. */
static inline uint32_t weir_half_word(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/** weir_lower() of each byte of a word. */
static inline uint64_t weir_lower_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t low7 = word & (0x7f * ones); /* so that no sum below carries into the next byte */
    uint64_t from_a = low7 + (0x80 - 'A') * ones, beyond_z = low7 + (0x7f - 'Z') * ones;
    uint64_t is_upper = from_a & ~beyond_z & ~word & (0x80 * ones);

    return word | is_upper >> 2; /* 0x80 becomes 0x20 */
}

/**
 * Copies `bytes` to `at` and returns the end. Heads are made of many short spans: for those a call would cost more than the
 * copy.
 */
static inline __attribute__((always_inline)) char *weir_append(char *at, weir_span_t bytes)
{
    size_t length = bytes.len;

    if (length > 16) {
        memcpy(at, bytes.base, length);
    } else if (length >= 8) {
        uint64_t front = weir_word(bytes.base), back = weir_word(bytes.base + length - 8); /* they may overlap */
        memcpy(at, &front, sizeof(front));
        memcpy(at + length - 8, &back, sizeof(back));
    } else if (length >= 4) {
        uint32_t front = weir_half_word(bytes.base), back = weir_half_word(bytes.base + length - 4);
        memcpy(at, &front, sizeof(front));
        memcpy(at + length - 4, &back, sizeof(back));
    } else if (length != 0) {
        at[0] = bytes.base[0];
        at[length / 2] = bytes.base[length / 2];
        at[length - 1] = bytes.base[length - 1];
    }
    return at + length;
}

/** At most eight bytes in one word, in some order: bytes of one length that differ give words that differ. */
static inline uint64_t weir_short_word(const char *at, size_t length)
{
    if (length == 8)
        return weir_word(at);
    if (length == 0)
        return 0;
    if (length < 4)
        return (uint64_t)(uint8_t)at[0] | (uint64_t)(uint8_t)at[length / 2] << 8 | (uint64_t)(uint8_t)at[length - 1] << 16;
    return weir_half_word(at) | (uint64_t)weir_half_word(at + length - 4) << 32;
}

/**
 * Whether `length` bytes are the same but for the case of letters. By words, and inlined: where one side is a literal only a
 * few instructions are left.
 */
static inline __attribute__((always_inline)) bool weir_bytes_equal_nocase(const char *a, const char *b, size_t length)
{
    if (length <= 8)
        return weir_lower_word(weir_short_word(a, length)) == weir_lower_word(weir_short_word(b, length));
    if (weir_lower_word(weir_word(a)) != weir_lower_word(weir_word(b)))
        return false;
    for (size_t i = 8; i + 8 < length; i += 8) {
        if (weir_lower_word(weir_word(a + i)) != weir_lower_word(weir_word(b + i)))
            return false;
    }
    /* the last word may overlap the one before */
    return weir_lower_word(weir_word(a + length - 8)) == weir_lower_word(weir_word(b + length - 8));
}

/** Writes the lower-case form of `length` bytes. */
static inline void weir_lower_bytes(char *to, const char *from, size_t length)
{
    size_t i = 0;

    for (; length - i >= 8; i += 8) {
        uint64_t word = weir_lower_word(weir_word(from + i));
        memcpy(to + i, &word, sizeof(word));
    }
    if (length - i >= 4) {
        uint32_t word = (uint32_t)weir_lower_word(weir_half_word(from + i));
        memcpy(to + i, &word, sizeof(word));
        i += sizeof(word);
    }
    for (; i < length; i++)
        to[i] = weir_lower(from[i]);
}

/** weir_span_equal_nocase() without a call: where one side is a literal only a few instructions are left. */
static inline bool weir_equal_nocase(weir_span_t a, weir_span_t b)
{
    return a.len == b.len && weir_bytes_equal_nocase(a.base, b.base, a.len);
}

/** Without the spaces and tabs (RFC 9110 §5.6.3 OWS) at both ends. */
weir_span_t weir_span_trim(weir_span_t bytes);

/** Writes `count` bytes as twice as many lower-case hexadecimal digits to `at` and returns the end; no NUL. */
char *weir_append_hex(char *at, const uint8_t *bytes, size_t count);

/** Reads decimal digits, and nothing but at least one of them. False if there is anything else, or more than 2^63-1. */
bool weir_span_to_u63(weir_span_t digits, uint64_t *out_number);

/** Writes `number` in decimal; `buffer` holds at least 20 bytes. Returns the span written, no NUL. */
weir_span_t weir_span_of_u64(uint64_t number, char buffer[static 20]);

#endif
