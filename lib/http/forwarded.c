/* SPDX-License-Identifier: MIT */
#include "lib/http/forwarded.h"

#include "lib/base/must.h"
#include "lib/base/span.h"

static char *append(char *at, weir_span_t bytes)
{
    if (bytes.len != 0)
        memcpy(at, bytes.base, bytes.len);
    return at + bytes.len;
}

/* Every value of this name, each followed by ", ", then `entry`. */
static weir_span_t join(const weir_headers_t *headers, weir_arena_t *arena, weir_span_t name, weir_span_t entry)
{
    size_t length = entry.len;
    char *text, *at;

    for (size_t i = 0; i < headers->count; i++) {
        if (weir_span_equal_nocase(headers->at[i].name, name))
            length += headers->at[i].value.len + 2;
    }
    text = at = weir_arena_alloc(arena, length);
    for (size_t i = 0; i < headers->count; i++) {
        weir_span_t value = weir_span_trim(headers->at[i].value);

        if (value.len == 0 || !weir_span_equal_nocase(headers->at[i].name, name))
            continue;
        at = append(append(at, value), WEIR_SPAN(", "));
    }
    at = append(at, entry);
    WEIR_MUST_SANE((size_t)(at - text) <= length);
    return (weir_span_t){text, (size_t)(at - text)};
}

void weir_forwarded_append(weir_headers_t *headers, weir_arena_t *arena, weir_span_t name, weir_span_t entry)
{
    weir_headers_put(headers, arena, name, join(headers, arena, name, entry));
}
