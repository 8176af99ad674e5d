/* SPDX-License-Identifier: MIT */
#include "lib/http/request_id.h"

#include <string.h>

#include "lib/base/span.h"

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
    uint8_t bytes[16];

    memcpy(bytes, random, sizeof(bytes));
    /* RFC 9562 §5.4: version 4, variant 0b10 */
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    out = weir_append_hex(out, bytes, 4);
    *out++ = '-';
    out = weir_append_hex(out, bytes + 4, 2);
    *out++ = '-';
    out = weir_append_hex(out, bytes + 6, 2);
    *out++ = '-';
    out = weir_append_hex(out, bytes + 8, 2);
    *out++ = '-';
    weir_append_hex(out, bytes + 10, 6);
}
