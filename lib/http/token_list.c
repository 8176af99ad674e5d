/* SPDX-License-Identifier: MIT */
#include "lib/http/token_list.h"

#include <string.h>

#include "lib/base/span.h"
#include "lib/http/head_scan.h"

bool weir_is_token_char(char c)
{
    return weir_char_is(c, WEIR_CHAR_TOKEN);
}

bool weir_is_token(weir_span_t bytes)
{
    if (bytes.len == 0)
        return false;
    return weir_skip_chars(bytes.base, bytes.base + bytes.len, WEIR_CHAR_TOKEN) == bytes.base + bytes.len;
}

bool weir_token_list_next(weir_span_t *list, weir_span_t *out_element)
{
    while (list->len != 0) {
        const char *comma = memchr(list->base, ',', list->len);
        size_t length = comma == NULL ? list->len : (size_t)(comma - list->base);
        size_t taken = comma == NULL ? length : length + 1;

        *out_element = weir_span_trim((weir_span_t){list->base, length});
        list->base += taken;
        list->len -= taken;
        if (out_element->len != 0)
            return true;
    }
    return false;
}

bool weir_token_list_has(weir_span_t list, weir_span_t token)
{
    weir_span_t element;

    while (weir_token_list_next(&list, &element)) {
        if (weir_equal_nocase(element, token))
            return true;
    }
    return false;
}
