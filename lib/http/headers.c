/* SPDX-License-Identifier: MIT */
#include "lib/http/headers.h"

#include "lib/base/must.h"
#include "lib/base/span.h"

enum { FIRST_CAPACITY = 32 };

#define IF_NAMED(known, id)                                                                                                    \
    if (weir_bytes_equal_nocase(name.base, known, sizeof(known) - 1))                                                          \
    return id

/* At most three comparisons: names of one length, told apart by their bytes from the front. */
weir_header_id_t weir_header_id(weir_span_t name)
{
    switch (name.len) {
    case 2:
        IF_NAMED("te", WEIR_HEADER_TE);
        break;
    case 3:
        IF_NAMED("via", WEIR_HEADER_VIA);
        break;
    case 4:
        IF_NAMED("host", WEIR_HEADER_HOST);
        IF_NAMED("date", WEIR_HEADER_DATE);
        break;
    case 6:
        IF_NAMED("expect", WEIR_HEADER_EXPECT);
        IF_NAMED("server", WEIR_HEADER_SERVER);
        break;
    case 7:
        IF_NAMED("upgrade", WEIR_HEADER_UPGRADE);
        IF_NAMED("trailer", WEIR_HEADER_TRAILER);
        break;
    case 10:
        IF_NAMED("connection", WEIR_HEADER_CONNECTION);
        IF_NAMED("set-cookie", WEIR_HEADER_SET_COOKIE);
        IF_NAMED("keep-alive", WEIR_HEADER_KEEP_ALIVE);
        break;
    case 14:
        IF_NAMED("content-length", WEIR_HEADER_CONTENT_LENGTH);
        break;
    case 15:
        IF_NAMED("x-forwarded-for", WEIR_HEADER_X_FORWARDED_FOR);
        break;
    case 16:
        IF_NAMED("x-forwarded-port", WEIR_HEADER_X_FORWARDED_PORT);
        IF_NAMED("proxy-connection", WEIR_HEADER_PROXY_CONNECTION);
        break;
    case 17:
        IF_NAMED("transfer-encoding", WEIR_HEADER_TRANSFER_ENCODING);
        IF_NAMED("x-forwarded-proto", WEIR_HEADER_X_FORWARDED_PROTO);
        break;
    case 18:
        IF_NAMED("proxy-authenticate", WEIR_HEADER_PROXY_AUTHENTICATE);
        break;
    case 19:
        IF_NAMED("proxy-authorization", WEIR_HEADER_PROXY_AUTHORIZATION);
        break;
    case 21:
        IF_NAMED("x-forwarded-peer-port", WEIR_HEADER_X_FORWARDED_PEER_PORT);
        break;
    default:
        break;
    }
    return WEIR_HEADER_OTHER;
}

#undef IF_NAMED

static void grow(weir_headers_t *headers, weir_arena_t *arena)
{
    size_t capacity = headers->capacity == 0 ? FIRST_CAPACITY : headers->capacity * 2;
    weir_header_t *at;

    WEIR_MUST(capacity <= SIZE_MAX / sizeof(*at));
    at = weir_arena_alloc(arena, capacity * sizeof(*at));
    if (headers->count != 0)
        memcpy(at, headers->at, headers->count * sizeof(*at));
    headers->at = at;
    headers->capacity = capacity;
}

static void add(weir_headers_t *headers, weir_arena_t *arena, weir_header_id_t id, weir_span_t name, weir_span_t value)
{
    if (headers->count == headers->capacity)
        grow(headers, arena);
    headers->at[headers->count++] = (weir_header_t){name, value, id};
}

void weir_headers_add(weir_headers_t *headers, weir_arena_t *arena, weir_span_t name, weir_span_t value)
{
    add(headers, arena, weir_header_id(name), name, value);
}

const weir_header_t *weir_headers_find(const weir_headers_t *headers, weir_header_id_t id)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->at[i].id == id)
            return &headers->at[i];
    }
    return NULL;
}

/* Like weir_header_is(), from `first` on. Returns headers->count if there is none. Each request is here a dozen times. */
static inline size_t find_from(const weir_headers_t *headers, weir_header_id_t id, weir_span_t name, size_t first)
{
    const weir_header_t *at = headers->at;
    size_t count = headers->count;

    if (id != WEIR_HEADER_OTHER) {
        while (first < count && at[first].id != id)
            first++;
        return first;
    }
    while (first < count && !weir_header_is(&at[first], WEIR_HEADER_OTHER, name))
        first++;
    return first;
}

const weir_header_t *weir_headers_find_name(const weir_headers_t *headers, weir_span_t name)
{
    size_t index = find_from(headers, weir_header_id(name), name, 0);

    return index == headers->count ? NULL : &headers->at[index];
}

size_t weir_headers_count(const weir_headers_t *headers, weir_header_id_t id)
{
    size_t count = 0;

    for (size_t i = 0; i < headers->count; i++)
        count += headers->at[i].id == id;
    return count;
}

size_t weir_headers_remove(weir_headers_t *headers, weir_header_id_t id)
{
    size_t kept = 0, count = headers->count;

    for (size_t i = 0; i < count; i++) {
        if (headers->at[i].id != id)
            headers->at[kept++] = headers->at[i];
    }
    headers->count = kept;
    return count - kept;
}

/* Removes the fields of this name from `first` on. Nothing moves as long as nothing goes. */
static __attribute__((noinline)) size_t remove_name_from(weir_headers_t *headers, weir_header_id_t id, weir_span_t name,
                                                         size_t first)
{
    size_t kept = find_from(headers, id, name, first), count = headers->count;

    for (size_t i = kept; i < count; i++) {
        if (!weir_header_is(&headers->at[i], id, name))
            headers->at[kept++] = headers->at[i];
    }
    headers->count = kept;
    return count - kept;
}

size_t weir_headers_remove_name(weir_headers_t *headers, weir_span_t name)
{
    return remove_name_from(headers, weir_header_id(name), name, 0);
}

void weir_headers_put_as(weir_headers_t *headers, weir_arena_t *arena, weir_header_id_t id, weir_span_t name, weir_span_t value)
{
    size_t index = find_from(headers, id, name, 0);

    if (index == headers->count) {
        add(headers, arena, id, name, value);
        return;
    }
    headers->at[index].value = value;
    if (index + 1 != headers->count)
        remove_name_from(headers, id, name, index + 1);
}

void weir_headers_put(weir_headers_t *headers, weir_arena_t *arena, weir_span_t name, weir_span_t value)
{
    weir_headers_put_as(headers, arena, weir_header_id(name), name, value);
}

/* Vegur: the first letter and each letter behind a '-' in upper case, all others in lower case. */
void weir_header_canonical_case(weir_span_t name, char *out)
{
    bool is_word_start = true;

    for (size_t i = 0; i < name.len; i++) {
        char c = weir_lower(name.base[i]);
        out[i] = is_word_start && c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
        is_word_start = c == '-';
    }
}
