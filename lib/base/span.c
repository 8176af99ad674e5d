/* SPDX-License-Identifier: MIT */
#include "lib/base/span.h"

bool weir_span_equal_nocase(weir_span_t a, weir_span_t b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (weir_lower(a.base[i]) != weir_lower(b.base[i]))
            return false;
    }
    return true;
}

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

weir_span_t weir_span_of_u64(uint64_t number, char buffer[static 20])
{
    char *end = buffer + 20, *at = end;

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    size_t length = (size_t)(end - at);
    memmove(buffer, at, length);
    return (weir_span_t){buffer, length};
}
