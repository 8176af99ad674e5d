/* SPDX-License-Identifier: MIT */
#include "lib/walk/response.h"

#include <string.h>

#include "lib/base/span.h"

static const weir_headers_t none;

static char *copy_name(char *at, weir_span_t name)
{
    for (size_t i = 0; i < name.len; i++)
        *at++ = weir_lower(name.base[i]);
    return at;
}

/* The list in one piece, the bytes in another; Vegur: names in lower case, order and copies as they came. */
static const weir_headers_t *copy(weir_exchange_t *x, const weir_headers_t *from)
{
    weir_headers_t *to = weir_arena_zalloc(&x->arena, sizeof(*to));
    size_t size = 1;
    char *at;

    for (size_t i = 0; i < from->count; i++)
        size += from->at[i].name.len + from->at[i].value.len;
    at = weir_arena_alloc(&x->arena, size);
    to->at = weir_arena_alloc(&x->arena, from->count * sizeof(*to->at) + 1);
    to->count = to->capacity = from->count;
    for (size_t i = 0; i < from->count; i++) {
        const weir_header_t *field = &from->at[i];
        weir_span_t name = {at, field->name.len}, value = {copy_name(at, field->name), field->value.len};
        at += name.len + value.len;
        if (value.len != 0)
            memcpy(at - value.len, field->value.base, value.len);
        to->at[i] = (weir_header_t){name, value, field->id};
    }
    return to;
}

void weir_response_lend(weir_exchange_t *x, const weir_headers_t *headers)
{
    x->response_lent = headers;
    x->response_headers = NULL;
}

void weir_response_take_back(weir_exchange_t *x, bool must_keep)
{
    if (must_keep && x->response_headers == NULL && x->response_lent != NULL)
        x->response_headers = copy(x, x->response_lent);
    x->response_lent = NULL;
}

void weir_response_tell_id(weir_exchange_t *x, weir_headers_t *headers)
{
    if (x->plan->tells_request_id && x->plan->request_id_header.len != 0)
        weir_headers_put(headers, &x->arena, x->plan->request_id_header, x->request.id);
}

static const weir_headers_t *headers_of(const weir_request_t *request)
{
    weir_exchange_t *x = weir_request_exchange(request);

    if (x->response_headers == NULL && x->response_lent != NULL)
        x->response_headers = copy(x, x->response_lent);
    return x->response_headers != NULL ? x->response_headers : &none;
}

weir_span_t weir_request_response_header(const weir_request_t *request, weir_span_t name)
{
    const weir_header_t *header = weir_headers_find_name(headers_of(request), name);

    return header != NULL ? header->value : (weir_span_t){NULL, 0};
}

size_t weir_request_response_header_count(const weir_request_t *request)
{
    return headers_of(request)->count;
}

bool weir_request_response_header_at(const weir_request_t *request, size_t index, weir_span_t *out_name, weir_span_t *out_value)
{
    const weir_headers_t *headers = headers_of(request);

    if (index >= headers->count)
        return false;
    *out_name = headers->at[index].name;
    *out_value = headers->at[index].value;
    return true;
}
