/* SPDX-License-Identifier: MIT */
#include "lib/http/http2_head.h"

#include <string.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/http/head_scan.h"
#include "lib/http/host.h"
#include "lib/http/token_list.h"

enum {
    FIELD_EXTRA = sizeof(": \r\n") - 1,
    LINE_EXTRA = sizeof("  HTTP/1.1") - 1,
    JOINT = sizeof("; ") - 1,
};

/* ---- field by field ---- */

/* The names that RFC 9113 §8.3.1 and RFC 8441 §4 know; whoever decodes refuses others. */
static weir_span_t *pseudo_of(weir_http2_head_t *head, weir_span_t name)
{
    if (weir_span_equal(name, WEIR_SPAN(":method")))
        return &head->method;
    if (weir_span_equal(name, WEIR_SPAN(":path")))
        return &head->path;
    if (weir_span_equal(name, WEIR_SPAN(":scheme")))
        return &head->scheme;
    if (weir_span_equal(name, WEIR_SPAN(":authority")))
        return &head->authority;
    return weir_span_equal(name, WEIR_SPAN(":protocol")) ? &head->protocol : NULL;
}

static bool is_made_of(weir_span_t bytes, unsigned classes)
{
    const char *end = bytes.base + bytes.len;

    return weir_skip_chars(bytes.base, end, classes) == end;
}

static const weir_fault_t *check_field(const weir_http2_head_t *head, const weir_head_limits_t *limits, weir_span_t name,
                                       weir_span_t value)
{
    if (head->total_bytes > limits->total_bytes)
        return &weir_fault_head_too_large;
    if (name.len > 0 && name.base[0] == ':')
        return is_made_of(value, WEIR_CHAR_FIELD) ? NULL : &weir_fault_bad_request_line;
    if (head->count > limits->count)
        return &weir_fault_too_many_headers;
    if (name.len > limits->name_bytes)
        return &weir_fault_header_name_too_long;
    if (value.len > limits->value_bytes)
        return &weir_fault_header_value_too_long;
    if (name.len == 0 || !is_made_of(name, WEIR_CHAR_TOKEN) || !is_made_of(value, WEIR_CHAR_FIELD))
        return &weir_fault_bad_header;
    return NULL;
}

static weir_span_t copy_of(weir_arena_t *arena, weir_span_t bytes)
{
    char *copy = weir_arena_alloc(arena, bytes.len + 1);

    memcpy(copy, bytes.base, bytes.len);
    copy[bytes.len] = '\0'; /* libh2o reads one byte beyond a port */
    return (weir_span_t){copy, bytes.len};
}

void weir_http2_head_add(weir_http2_head_t *head, weir_arena_t *arena, const weir_head_limits_t *limits, weir_span_t name,
                         weir_span_t value)
{
    bool is_pseudo = name.len > 0 && name.base[0] == ':';

    head->total_bytes += (is_pseudo ? 0 : name.len + FIELD_EXTRA) + value.len;
    head->count += !is_pseudo;
    if (head->fault != NULL)
        return;
    head->fault = check_field(head, limits, name, value);
    if (head->fault != NULL)
        return;
    weir_span_t *pseudo = is_pseudo ? pseudo_of(head, name) : NULL;
    if (pseudo != NULL)
        *pseudo = copy_of(arena, value);
    else
        weir_headers_add(&head->headers, arena, copy_of(arena, name), copy_of(arena, value));
}

/* ---- the whole ---- */

/* RFC 9113 §8.2.3: HTTP/1.1 knows one Cookie field, whose parts are divided by "; ". */
static void join_cookies(weir_headers_t *headers, weir_arena_t *arena)
{
    const weir_span_t cookie = WEIR_SPAN("cookie");
    weir_header_t *first = NULL;
    size_t crumbs = 0, bytes = 0, kept = 0;

    for (size_t i = 0; i < headers->count; i++) {
        if (!weir_header_is(&headers->at[i], WEIR_HEADER_OTHER, cookie))
            continue;
        crumbs++;
        bytes += headers->at[i].value.len + JOINT;
    }
    if (crumbs < 2)
        return;
    char *joined = weir_arena_alloc(arena, bytes), *at = joined;
    for (size_t i = 0; i < headers->count; i++) {
        weir_header_t field = headers->at[i];
        if (!weir_header_is(&field, WEIR_HEADER_OTHER, cookie)) {
            headers->at[kept++] = field;
            continue;
        }
        if (first == NULL) {
            first = &headers->at[kept++];
            *first = field;
        } else {
            at = weir_append(at, WEIR_SPAN("; "));
        }
        at = weir_append(at, field.value);
    }
    WEIR_MUST(first != NULL);
    first->value = (weir_span_t){joined, (size_t)(at - joined)};
    headers->count = kept;
}

/* What HTTP/1.1 says in the first place is put there. */
static void prepend(weir_headers_t *headers, weir_arena_t *arena, weir_span_t name, weir_span_t value)
{
    weir_headers_add(headers, arena, name, value);
    weir_header_t field = headers->at[headers->count - 1];
    memmove(headers->at + 1, headers->at, (headers->count - 1) * sizeof(field));
    headers->at[0] = field;
}

/* RFC 9113 §8.3.1: Host and :authority are one thing, said once or twice, but not in two ways. */
static const weir_fault_t *settle_host(weir_http2_head_t *head, weir_arena_t *arena)
{
    const weir_header_t *host = weir_headers_find(&head->headers, WEIR_HEADER_HOST);
    weir_span_t name;
    int32_t port;

    if (weir_headers_count(&head->headers, WEIR_HEADER_HOST) > 1)
        return &weir_fault_duplicate_host;
    if (head->authority.base == NULL && host == NULL)
        return &weir_fault_missing_host;
    if (head->authority.base != NULL && host != NULL && !weir_equal_nocase(head->authority, host->value))
        return &weir_fault_bad_host;
    if (head->authority.base == NULL)
        head->authority = host->value;
    if (!weir_host_split(head->authority, &name, &port))
        return &weir_fault_bad_host;
    weir_headers_remove(&head->headers, WEIR_HEADER_HOST);
    prepend(&head->headers, arena, WEIR_SPAN("host"), head->authority);
    return NULL;
}

static bool is_scheme(weir_span_t scheme)
{
    return weir_equal_nocase(scheme, WEIR_SPAN("http")) || weir_equal_nocase(scheme, WEIR_SPAN("https"));
}

/* A fragment never travels (RFC 9110 §4.2.5). Vegur: a '?' with nothing behind it goes. */
static const weir_fault_t *settle_path(weir_http2_head_t *head, const weir_head_limits_t *limits)
{
    weir_span_t *path = &head->path;
    bool is_star = weir_span_equal(*path, WEIR_SPAN("*")) && weir_span_equal(head->method, WEIR_SPAN("OPTIONS"));

    if (head->method.len + path->len + LINE_EXTRA > limits->line_bytes)
        return &weir_fault_request_line_too_long;
    if (path->len == 0 || (path->base[0] != '/' && !is_star) || !is_made_of(*path, WEIR_CHAR_TARGET) ||
        memchr(path->base, '#', path->len) != NULL || !is_scheme(head->scheme))
        return &weir_fault_bad_target;
    if (path->base[path->len - 1] == '?' && memchr(path->base, '?', path->len - 1) == NULL)
        path->len--;
    return NULL;
}

/* RFC 8441 §5: what HTTP/1.1 calls an upgrade. The key and its answer are for whoever speaks HTTP/1.1. */
static const weir_fault_t *settle_method(weir_http2_head_t *head, weir_arena_t *arena)
{
    if (!weir_is_token(head->method))
        return &weir_fault_bad_method;
    if (!weir_span_equal(head->method, WEIR_SPAN("CONNECT")))
        return NULL;
    if (head->protocol.base == NULL)
        return &weir_fault_connect_refused;
    if (!weir_equal_nocase(head->protocol, WEIR_SPAN("websocket")))
        return &weir_fault_unsupported_protocol;
    head->method = WEIR_SPAN("GET");
    weir_headers_add(&head->headers, arena, WEIR_SPAN("connection"), WEIR_SPAN("Upgrade"));
    weir_headers_add(&head->headers, arena, WEIR_SPAN("upgrade"), WEIR_SPAN("websocket"));
    return NULL;
}

const weir_fault_t *weir_http2_head_finish(weir_http2_head_t *head, weir_arena_t *arena, const weir_head_limits_t *limits,
                                           bool has_body, weir_framing_t *out_framing)
{
    const weir_fault_t *fault = head->fault;

    *out_framing = (weir_framing_t){WEIR_FRAMING_NONE, 0};
    if (fault == NULL)
        fault = settle_method(head, arena);
    if (fault == NULL)
        fault = settle_path(head, limits);
    if (fault == NULL)
        fault = settle_host(head, arena);
    if (fault == NULL)
        fault = weir_framing_of_request(&head->headers, 1, out_framing);
    if (fault != NULL)
        return fault;
    bool has_length = weir_headers_find(&head->headers, WEIR_HEADER_CONTENT_LENGTH) != NULL;
    if (has_body && !has_length && head->protocol.base == NULL)
        out_framing->kind = WEIR_FRAMING_CHUNKED;
    if (!has_body || head->protocol.base != NULL)
        *out_framing = (weir_framing_t){WEIR_FRAMING_NONE, 0};
    join_cookies(&head->headers, arena);
    return NULL;
}
