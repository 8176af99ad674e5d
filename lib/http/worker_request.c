/* SPDX-License-Identifier: MIT */
#include "lib/http/worker_request.h"

#include <string.h>

#include "lib/base/span.h"
#include "lib/http/token_list.h"

enum { BAD = 400, UPGRADE_REQUIRED = 426, TOO_LONG = 431, HTTP_1_1 = 0x101, WEIGHT = 100, WEIGHT_MOST = 1000 };

static weir_span_t field(const weir_worker_head_t *head, const char *name)
{
    const weir_header_t *found = weir_headers_find_name(head->headers, (weir_span_t){name, strlen(name)});

    return found == NULL ? (weir_span_t){NULL, 0} : weir_span_trim(found->value);
}

static bool is_word(weir_span_t text, bool may_be_upper)
{
    if (text.len == 0 || text.len > WEIR_WORKER_WORD_MOST)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.base[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (may_be_upper && c >= 'A' && c <= 'Z');
        const bool is_other = c == '.' || c == '_' || c == '-';
        if (!is_letter && !(c >= '0' && c <= '9') && !(is_other && (may_be_upper || i > 0)))
            return false;
    }
    return true;
}

static bool is_visible(weir_span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.base[i] <= ' ' || text.base[i] > '~')
            return false;
    return text.len > 0;
}

/* ".../v1/APP". */
static bool read_app(weir_span_t path, weir_span_t *out_app)
{
    const weir_span_t before = WEIR_SPAN("/v1/");
    size_t at = path.len;

    for (size_t i = 0; i < path.len; i++)
        if (path.base[i] == '?')
            path.len = at = i;
    while (at > 0 && path.base[at - 1] != '/')
        at--;
    *out_app = (weir_span_t){path.base + at, path.len - at};
    return at >= before.len && memcmp(path.base + at - before.len, before.base, before.len) == 0 && is_word(*out_app, false);
}

static bool read_upgrade(const weir_worker_head_t *head, weir_span_t *out_token)
{
    weir_span_t list = field(head, "upgrade"), token;

    while (weir_token_list_next(&list, &token)) {
        if (!weir_span_equal_nocase(token, WEIR_SPAN("ptth")) && !weir_span_equal_nocase(token, WEIR_SPAN("reverse")) &&
            !weir_span_equal_nocase(token, WEIR_SPAN("h2c-reverse")))
            continue;
        *out_token = token;
        return weir_token_list_has(field(head, "connection"), WEIR_SPAN("upgrade"));
    }
    return false;
}

/* RFC 7639: the names of ALPN, percent-encoded. */
static bool read_alpn(weir_span_t list, weir_protocol_t *out_protocol)
{
    weir_span_t name;

    *out_protocol = WEIR_HTTP2;
    if (list.base == NULL)
        return true;
    while (weir_token_list_next(&list, &name)) {
        const bool is_http1 = weir_span_equal_nocase(name, WEIR_SPAN("http%2F1.1"));
        if (!is_http1 && !weir_span_equal(name, WEIR_SPAN("h2")))
            continue;
        *out_protocol = is_http1 ? WEIR_HTTP1 : WEIR_HTTP2;
        return true;
    }
    return false;
}

static bool read_number(weir_span_t text, uint32_t most, uint32_t *number)
{
    uint64_t value;

    if (text.base == NULL)
        return true;
    if (!weir_span_to_u63(text, &value) || value < 1 || value > most)
        return false;
    *number = (uint32_t)value;
    return true;
}

static bool read_domains(weir_span_t list, weir_worker_request_t *out)
{
    weir_span_t name;

    while (weir_token_list_next(&list, &name)) {
        if (out->domain_count == WEIR_WORKER_DOMAINS_MOST || name.len > WEIR_WORKER_DOMAIN_MOST || !is_visible(name))
            return false;
        out->domains[out->domain_count++] = name;
    }
    return true;
}

static bool has_prefix(weir_span_t text, weir_span_t word)
{
    return text.len > word.len && weir_span_equal_nocase((weir_span_t){text.base, word.len}, word);
}

static bool read_authorization(weir_span_t value, weir_worker_request_t *out)
{
    const weir_span_t bearer = WEIR_SPAN("bearer "), basic = WEIR_SPAN("basic ");

    if (value.base == NULL)
        return true;
    if (has_prefix(value, basic)) {
        out->basic = weir_span_trim((weir_span_t){value.base + basic.len, value.len - basic.len});
        return is_visible(out->basic) && out->basic.len <= (size_t)2 * WEIR_WORKER_TOKEN_MOST;
    }
    if (!has_prefix(value, bearer))
        return false;
    out->bearer = weir_span_trim((weir_span_t){value.base + bearer.len, value.len - bearer.len});
    return is_visible(out->bearer) && out->bearer.len >= WEIR_WORKER_TOKEN_LEAST && out->bearer.len <= WEIR_WORKER_TOKEN_MOST;
}

static const char *read_fields(const weir_worker_head_t *head, weir_worker_request_t *out)
{
    const weir_span_t versions = field(head, "worker-protocol");

    out->weight = WEIGHT;
    out->capacity = WEIR_WORKER_CAPACITY;
    out->id = field(head, "worker-id");
    out->version = field(head, "worker-version");
    out->health = field(head, "worker-health");
    if (versions.base != NULL && !weir_token_list_has(versions, WEIR_SPAN("1")))
        return "Worker-Protocol names no version that is spoken here";
    if (!read_alpn(field(head, "alpn"), &out->protocol))
        return "ALPN names neither h2 nor http%2F1.1";
    if (out->id.base != NULL && !is_word(out->id, true))
        return "Worker-Id has 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'";
    if (out->version.base != NULL && (out->version.len > WEIR_WORKER_WORD_MOST || !is_visible(out->version)))
        return "Worker-Version has 1 to 64 visible characters";
    if (out->health.base != NULL &&
        (out->health.len > WEIR_WORKER_PATH_MOST || !is_visible(out->health) || out->health.base[0] != '/'))
        return "Worker-Health is a path";
    if (!read_number(field(head, "worker-capacity"), WEIR_WORKER_CAPACITY_LIMIT, &out->capacity))
        return "Worker-Capacity is a number from 1 to 10000";
    if (!read_number(field(head, "worker-weight"), WEIGHT_MOST, &out->weight))
        return "Worker-Weight is a number from 1 to 1000";
    if (!read_domains(field(head, "worker-domains"), out))
        return "Worker-Domains has at most 64 names";
    return read_authorization(field(head, "authorization"), out) ? NULL : "Authorization is neither Bearer TOKEN nor Basic";
}

/* "GET ", the path, " HTTP/1.1", the fields, each with ": ", and the ends of lines. */
static size_t bytes_of(const weir_worker_head_t *head)
{
    size_t bytes = head->method.len + head->path.len + sizeof("  HTTP/1.1\r\n\r\n") - 1;

    for (size_t i = 0; i < head->headers->count; i++)
        bytes += head->headers->at[i].name.len + head->headers->at[i].value.len + sizeof(": \r\n") - 1;
    return bytes;
}

uint16_t weir_worker_request_read(const weir_worker_head_t *head, weir_worker_request_t *out, const char **why)
{
    *out = (weir_worker_request_t){.weight = WEIGHT};
    if (head->version != HTTP_1_1 || !weir_span_equal(head->method, WEIR_SPAN("GET")) || !read_upgrade(head, &out->upgrade)) {
        *why = "a worker registers by GET, HTTP/1.1, with Upgrade: ptth";
        return UPGRADE_REQUIRED;
    }
    if (head->body != WEIR_FRAMING_NONE) {
        *why = "a registration has no body";
        return BAD;
    }
    if (!read_app(head->path, &out->app)) {
        *why = "the path ends with /v1/APP, of 1 to 64 characters of a-z, 0-9, '.', '_' and '-'";
        return BAD;
    }
    if (bytes_of(head) > WEIR_WORKER_HEAD_MOST) {
        *why = "the head of a registration has at most 8192 bytes";
        return TOO_LONG;
    }
    *why = read_fields(head, out);
    return *why == NULL ? 0 : BAD;
}
