/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_ROUTERS_ORDERS_H
#define WEIR_T_ROUTERS_ORDERS_H
/** @file  What a request tells a test's router to do: words of its X-Do header, between spaces, some with "=" and a text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir.h>

static inline weir_span_t span(const char *text)
{
    return (weir_span_t){text, strlen(text)};
}

/** What stands behind `word` and "=" ("": nothing), or NULL: the word is not there. */
static inline const char *told(const weir_request_t *request, const char *word, char value[64])
{
    weir_span_t orders = weir_request_header(request, span("X-Do"));
    size_t length = strlen(word);

    for (size_t i = 0; i < orders.len;) {
        size_t end = i;
        while (end < orders.len && orders.base[end] != ' ')
            end++;
        if (end - i >= length && memcmp(orders.base + i, word, length) == 0 &&
            (end - i == length || orders.base[i + length] == '=')) {
            size_t start = i + length + (end - i > length);
            snprintf(value, 64, "%.*s", (int)(end - start), orders.base + start);
            return value;
        }
        i = end + 1;
    }
    return NULL;
}

static inline bool is_told(const weir_request_t *request, const char *word)
{
    char value[64];

    return told(request, word, value) != NULL;
}

/** The number that stands there; 0 without the word. */
static inline int told_number(const weir_request_t *request, const char *word)
{
    char value[64];

    return told(request, word, value) == NULL ? 0 : atoi(value);
}

#endif
