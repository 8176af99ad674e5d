/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_HEADERS_H
#define WEIR_HTTP_HEADERS_H
/**
 * @file  A list of header fields in the order they came, and the names a proxy has to know.
 *
 * Names and values are borrowed spans, kept byte for byte. A list grows in the arena it is given.
 */
#include "lib/base/arena.h"
#include "lib/base/span.h"

/** The fields a proxy treats specially; every other name is OTHER. */
typedef enum weir_header_id {
    WEIR_HEADER_OTHER,
    WEIR_HEADER_CONNECTION,
    WEIR_HEADER_CONTENT_LENGTH,
    WEIR_HEADER_DATE,
    WEIR_HEADER_EXPECT,
    WEIR_HEADER_HOST,
    WEIR_HEADER_KEEP_ALIVE,
    WEIR_HEADER_PROXY_AUTHENTICATE,
    WEIR_HEADER_PROXY_AUTHORIZATION,
    WEIR_HEADER_PROXY_CONNECTION,
    WEIR_HEADER_SERVER,
    WEIR_HEADER_SET_COOKIE,
    WEIR_HEADER_TE,
    WEIR_HEADER_TRAILER,
    WEIR_HEADER_TRANSFER_ENCODING,
    WEIR_HEADER_UPGRADE,
    WEIR_HEADER_VIA,
    WEIR_HEADER_X_FORWARDED_FOR,
    WEIR_HEADER_X_FORWARDED_PEER_PORT,
    WEIR_HEADER_X_FORWARDED_PORT,
    WEIR_HEADER_X_FORWARDED_PROTO,
} weir_header_id_t;

typedef struct weir_header {
    weir_span_t name;
    weir_span_t value;
    weir_header_id_t id;
} weir_header_t;

/** Zeroed, it is an empty list. */
typedef struct weir_headers {
    weir_header_t *at;
    size_t count;
    size_t capacity;
} weir_headers_t;

/** Which of the known fields `name` is, letters of either case being equal. Constant time in the number of names. */
weir_header_id_t weir_header_id(weir_span_t name);

/** Whether the field is called `name`, whose id is `id`: bytes are compared only where neither id nor length tells. */
static inline bool weir_header_is(const weir_header_t *field, weir_header_id_t id, weir_span_t name)
{
    if (field->id != id)
        return false;
    return id != WEIR_HEADER_OTHER || (field->name.len == name.len && weir_span_equal_nocase(field->name, name));
}

/** Adds a field at the end. The spans are borrowed for as long as the list is used. */
void weir_headers_add(weir_headers_t *headers, weir_arena_t *arena, weir_span_t name, weir_span_t value);

/** The first field with this id, or NULL. */
const weir_header_t *weir_headers_find(const weir_headers_t *headers, weir_header_id_t id);

/** The first field with this name, letters of either case being equal, or NULL. */
const weir_header_t *weir_headers_find_name(const weir_headers_t *headers, weir_span_t name);

/** How many fields have this id. */
size_t weir_headers_count(const weir_headers_t *headers, weir_header_id_t id);

/** Removes every field with this id; the others keep their order. Returns how many went. */
size_t weir_headers_remove(weir_headers_t *headers, weir_header_id_t id);

/** Removes every field with this name, letters of either case being equal. Returns how many went. */
size_t weir_headers_remove_name(weir_headers_t *headers, weir_span_t name);

/**
 * Replaces the value of the first field of this name, removes its later occurrences, or adds it at the end.
 * Thus a client's copies of a trust-bearing field cannot survive beside ours.
 */
void weir_headers_put(weir_headers_t *headers, weir_arena_t *arena, weir_span_t name, weir_span_t value);

/** The same where it is known that `id` is weir_header_id(name). */
void weir_headers_put_as(weir_headers_t *headers, weir_arena_t *arena, weir_header_id_t id, weir_span_t name,
                         weir_span_t value);

/** Writes `name` in Vegur's canonical case into `out` (name.len bytes): X-Request-Id, X_foo-Bar. */
void weir_header_canonical_case(weir_span_t name, char *out);

#endif
