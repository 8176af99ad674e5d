/* SPDX-License-Identifier: MIT */
/* The head of a request as HTTP/2 has it: no line, no Connection, every name in lower case. */
#include "handlers/backend_head.h"
#include "lib/base/span.h"
#include "lib/http/token_list.h"

enum { PSEUDO_AND_OWN = 8, DIGITS = 20 };

static void add(weir_headers_t *fields, weir_span_t name, weir_span_t value)
{
    fields->at[fields->count++] = (weir_header_t){name, value, WEIR_HEADER_OTHER};
}

/* RFC 9110 §10.1.4: TE ends at this hop, and this hop passes trailers on. gRPC insists on it. */
static bool wants_trailers(const weir_headers_t *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->at[i].id == WEIR_HEADER_TE && weir_token_list_has(headers->at[i].value, WEIR_SPAN("trailers")))
            return true;
    }
    return false;
}

static weir_span_t lower_name(weir_arena_t *arena, weir_span_t name)
{
    char *copy = weir_arena_alloc(arena, name.len);

    weir_lower_bytes(copy, name.base, name.len);
    return (weir_span_t){copy, name.len};
}

/* RFC 9113 §8.1.1: a length is as good as the end of the stream, and some backends want to know it beforehand. */
static void add_length(const weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *fields)
{
    const weir_request_t *request = &x->request;
    bool is_get = weir_span_equal(request->method, WEIR_SPAN("GET")) || request->is_head;

    if (x->is_upgrading || request->framing.kind == WEIR_FRAMING_CHUNKED ||
        (request->framing.kind == WEIR_FRAMING_NONE && is_get))
        return;
    add(fields, WEIR_SPAN("content-length"), weir_span_of_u64(request->framing.length_bytes, weir_arena_alloc(arena, DIGITS)));
}

weir_headers_t weir_backend_fields(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    const weir_request_t *request = &x->request;
    weir_span_t host = weir_backend_take_host(x, headers);
    weir_headers_t fields = {.capacity = headers->count + PSEUDO_AND_OWN};

    fields.at = weir_arena_alloc(arena, fields.capacity * sizeof(*fields.at));
    add(&fields, WEIR_SPAN(":method"), x->is_upgrading ? WEIR_SPAN("CONNECT") : request->method);
    if (x->is_upgrading)
        add(&fields, WEIR_SPAN(":protocol"), WEIR_SPAN("websocket")); /* RFC 8441 §5 */
    /* How this hop is made; how the client came is said by X-Forwarded-Proto. */
    add(&fields, WEIR_SPAN(":scheme"), x->target.tls != NULL ? WEIR_SPAN("https") : WEIR_SPAN("http"));
    if (host.len > 0) /* RFC 9113 §8.3.1: never an empty one */
        add(&fields, WEIR_SPAN(":authority"), host);
    add(&fields, WEIR_SPAN(":path"), weir_backend_path(x));
    if (x->is_upgrading)
        weir_headers_remove_name(headers, WEIR_SPAN("sec-websocket-key")); /* HTTP/2 needs no such proof */
    for (size_t i = 0; i < headers->count; i++)
        add(&fields, lower_name(arena, headers->at[i].name), headers->at[i].value);
    if (wants_trailers(&request->headers))
        add(&fields, WEIR_SPAN("te"), WEIR_SPAN("trailers"));
    add_length(x, arena, &fields);
    return fields;
}
