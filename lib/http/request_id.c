/* SPDX-License-Identifier: MIT */
#include "lib/http/request_id.h"

/* Vegur: A-Z a-z 0-9 - + / = */
static bool is_id_char(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c == '-' || c == '+' || c == '/' || c == '=';
}

bool weir_request_id_is_valid(weir_span_t id, size_t max_bytes)
{
    if (id.len < WEIR_REQUEST_ID_MIN_BYTES || id.len > max_bytes)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        if (!is_id_char(id.base[i]))
            return false;
    }
    return true;
}

void weir_request_id_make(const uint8_t random[static 16], char out[static WEIR_UUID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;

    for (size_t i = 0; i < 16; i++) {
        uint8_t byte = random[i];

        /* RFC 9562 §5.4: version 4, variant 0b10 */
        if (i == 6)
            byte = (byte & 0x0f) | 0x40;
        if (i == 8)
            byte = (byte & 0x3f) | 0x80;
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
}
