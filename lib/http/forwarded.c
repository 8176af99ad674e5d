/* SPDX-License-Identifier: MIT */
#include "lib/http/forwarded.h"

#include "lib/base/must.h"
#include "lib/base/span.h"

/* Every value of this field, each followed by ", ", then `entry`. */
static weir_span_t join(const weir_headers_t *headers, weir_arena_t *arena, weir_header_id_t id, weir_span_t entry)
{
    size_t length = entry.len;
    char *text, *at;

    for (size_t i = 0; i < headers->count; i++) {
        if (headers->at[i].id == id)
            length += headers->at[i].value.len + 2;
    }
    text = at = weir_arena_alloc(arena, length);
    for (size_t i = 0; i < headers->count && length != entry.len; i++) {
        weir_span_t value;

        if (headers->at[i].id != id)
            continue;
        value = weir_span_trim(headers->at[i].value);
        if (value.len != 0)
            at = weir_append(weir_append(at, value), WEIR_SPAN(", "));
    }
    at = weir_append(at, entry);
    WEIR_MUST_SANE((size_t)(at - text) <= length);
    return (weir_span_t){text, (size_t)(at - text)};
}

void weir_forwarded_append(weir_headers_t *headers, weir_arena_t *arena, weir_header_id_t id, weir_span_t name,
                           weir_span_t entry)
{
    weir_headers_put_as(headers, arena, id, name, join(headers, arena, id, entry));
}
