/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_CONTROL_H
#define WEIR_BASE_CONTROL_H
/**
 * @file  Bytes that a terminal would obey instead of showing them, and how logs show them.
 */
#include <stdbool.h>

#include "weir_types.h"

/**
 * Whether byte `at` of `text` is a control: C0, DEL, or part of one of C1 in UTF-8 (U+0080 to U+009F, where 9B opens a sequence
 * like ESC [).
 */
static inline bool weir_is_control(weir_span_t text, size_t at)
{
    const unsigned char c = (unsigned char)text.base[at];

    if (c < 0x20 || c == 0x7f)
        return true;
    if (c == 0xc2)
        return at + 1 < text.len && ((unsigned char)text.base[at + 1] & 0xe0) == 0x80;
    return (c & 0xe0) == 0x80 && at > 0 && (unsigned char)text.base[at - 1] == 0xc2;
}

/** \xNN. */
static inline void weir_escape_byte(char c, char out[static 4])
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[(unsigned char)c >> 4];
    out[3] = digits[(unsigned char)c & 15];
}

#endif
