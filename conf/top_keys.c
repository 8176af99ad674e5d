/* SPDX-License-Identifier: MIT */
/* Keys as terminals send them. */
#include <string.h>

#include "conf/top_screen.h"

enum { ESCAPE = 0x1b, ERASE = 0x7f, BACKSPACE = 8, INTERRUPT = 3, SUSPEND = 26, LONGEST = 16 };

/* What stands behind Escape and "[" or "O". */
static const struct {
    const char *text;
    top_key_t key;
} sequences[] = {
    {"A", TOP_KEY_UP},    {"B", TOP_KEY_DOWN},   {"H", TOP_KEY_FIRST}, {"F", TOP_KEY_LAST},     {"1~", TOP_KEY_FIRST},
    {"4~", TOP_KEY_LAST}, {"7~", TOP_KEY_FIRST}, {"8~", TOP_KEY_LAST}, {"5~", TOP_KEY_PAGE_UP}, {"6~", TOP_KEY_PAGE_DOWN},
};

/* A sequence ends with a letter or "~" (ECMA-48 §5.4); one that is not known is none of our keys. */
static top_typed_t read_sequence(const char *bytes, size_t count)
{
    size_t end = 2;

    while (end < count && (unsigned char)bytes[end] < '@')
        end++;
    if (end == count)
        return (top_typed_t){.key = TOP_KEY_NONE, .bytes = count < LONGEST ? 0 : count};
    top_typed_t typed = {.key = TOP_KEY_NONE, .bytes = end + 1};
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
        if (strlen(sequences[i].text) == end - 1 && memcmp(bytes + 2, sequences[i].text, end - 1) == 0)
            typed.key = sequences[i].key;
    return typed;
}

static top_typed_t read_escape(const char *bytes, size_t count, bool is_all)
{
    const bool is_sequence = count > 1 && (bytes[1] == '[' || bytes[1] == 'O');

    if (is_sequence) {
        const top_typed_t typed = read_sequence(bytes, count);
        return typed.bytes == 0 && is_all ? (top_typed_t){.key = TOP_KEY_NONE, .bytes = count} : typed;
    }
    if (count == 1 && !is_all)
        return (top_typed_t){.key = TOP_KEY_NONE, .bytes = 0};
    return (top_typed_t){.key = TOP_KEY_ESCAPE, .bytes = 1};
}

top_typed_t top_read_key(const char *bytes, size_t count, bool is_all)
{
    const unsigned char c = (unsigned char)bytes[0];
    top_typed_t typed = {.key = TOP_KEY_NONE, .character = bytes[0], .bytes = 1};

    if (c == ESCAPE)
        return read_escape(bytes, count, is_all);
    if (c == '\r' || c == '\n')
        typed.key = TOP_KEY_ENTER;
    else if (c == ERASE || c == BACKSPACE)
        typed.key = TOP_KEY_ERASE;
    else if (c == INTERRUPT)
        typed.key = TOP_KEY_INTERRUPT;
    else if (c == SUSPEND)
        typed.key = TOP_KEY_SUSPEND;
    else if (c >= ' ' && c < ERASE)
        typed.key = TOP_KEY_CHARACTER;
    return typed;
}
