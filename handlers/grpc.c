/* SPDX-License-Identifier: MIT */
#include "handlers/grpc.h"

#include <string.h>

#include "lib/base/span.h"

enum { ESCAPED = 3 }; /* bytes of "%2F" */

bool weir_grpc_is_call(const weir_request_t *request)
{
    static const char type[] = "application/grpc";
    const weir_header_t *field = weir_headers_find_name(&request->headers, WEIR_SPAN("Content-Type"));
    weir_span_t start = {field == NULL ? NULL : field->value.base, sizeof(type) - 1};

    if (field == NULL || field->value.len < start.len || !weir_equal_nocase(start, WEIR_SPAN("application/grpc")))
        return false;
    return field->value.len == start.len || strchr("+; ", field->value.base[start.len]) != NULL;
}

/* gRPC's http-grpc-status-mapping.md: what a client would make of the status by itself. */
static weir_span_t code_of(uint16_t status)
{
    switch (status) {
    case 400:
        return WEIR_SPAN("13"); /* INTERNAL */
    case 401:
        return WEIR_SPAN("16"); /* UNAUTHENTICATED */
    case 403:
        return WEIR_SPAN("7"); /* PERMISSION_DENIED */
    case 404:
        return WEIR_SPAN("12"); /* UNIMPLEMENTED */
    case 429:
    case 502:
    case 503:
    case 504:
        return WEIR_SPAN("14"); /* UNAVAILABLE */
    default:
        return WEIR_SPAN("2"); /* UNKNOWN */
    }
}

/* "name: sentence", percent-encoded: a router's may hold anything. */
static weir_span_t message_of(weir_exchange_t *x, const weir_fault_t *fault)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *sentence = fault->sentence != NULL ? fault->sentence : "";
    weir_span_t text = weir_arena_format(&x->arena, "%s%s%s", fault->name, *sentence != '\0' ? ": " : "", sentence);
    char *message = weir_arena_alloc(&x->arena, ESCAPED * text.len + 1), *at = message;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.base[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    return (weir_span_t){message, (size_t)(at - message)};
}

weir_headers_t weir_grpc_headers(weir_exchange_t *x, const weir_headers_t *page, uint16_t status, const weir_fault_t *fault)
{
    weir_headers_t headers = {NULL, 0, 0};

    for (size_t i = 0; i < page->count; i++) {
        const weir_header_t *field = &page->at[i];
        weir_span_t start = {field->name.base, sizeof("content-") - 1};
        if (field->name.len < start.len || !weir_equal_nocase(start, WEIR_SPAN("content-")))
            weir_headers_add(&headers, &x->arena, field->name, field->value);
    }
    weir_headers_add(&headers, &x->arena, WEIR_SPAN("Content-Type"), WEIR_SPAN("application/grpc"));
    if (weir_headers_find_name(&headers, WEIR_SPAN("grpc-status")) != NULL)
        return headers;
    weir_headers_put(&headers, &x->arena, WEIR_SPAN("grpc-status"), code_of(status));
    weir_headers_put(&headers, &x->arena, WEIR_SPAN("grpc-message"), message_of(x, fault));
    return headers;
}

int16_t weir_grpc_status_of(const weir_headers_t *headers)
{
    const weir_header_t *field = weir_headers_find_name(headers, WEIR_SPAN("grpc-status"));
    uint64_t status;

    if (field == NULL || !weir_span_to_u63(field->value, &status) || status > INT16_MAX)
        return -1;
    return (int16_t)status;
}
