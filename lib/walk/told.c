/* SPDX-License-Identifier: MIT */
#include "lib/walk/told.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/span.h"

void weir_told_put(weir_told_t *line, weir_span_t bytes)
{
    const size_t room = sizeof(line->text) - 1 - line->length; /* 1: the newline */
    const size_t count = bytes.len < room ? bytes.len : room;

    for (size_t i = 0; i < count; i++) { /* what clients and routers have named things may be anything */
        const char c = bytes.base[i];
        line->text[line->length++] = c >= ' ' && c < 0x7f ? c : '?';
    }
}

void weir_told_text(weir_told_t *line, const char *text)
{
    if (text != NULL)
        weir_told_put(line, (weir_span_t){text, strlen(text)});
}

void weir_told_number(weir_told_t *line, const char *text, uint64_t number)
{
    char digits[20];

    weir_told_text(line, text);
    weir_told_put(line, weir_span_of_u64(number, digits));
}

void weir_told_end(weir_told_t *line, int fd)
{
    line->text[line->length++] = '\n';
    if (write(fd, line->text, line->length) < 0)
        line->length = 0;
}
