/* SPDX-License-Identifier: MIT */
#include "lib/admin/call.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/admin/origin.h"
#include "lib/http/json_bounds.h"
#include "lib/http/status.h"

enum {
    FORBIDDEN = 403,
    NOT_FOUND = 404,
    NOT_ALLOWED = 405,
    TOO_LARGE = 413,
    BAD_REQUEST = 400,
    NO_CONTENT = 204,
    DETAIL_BYTES = 1024,
    ALLOW_BYTES = 64
};

/* ---- reading ---- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A copy in the request's pool, NUL-terminated. base NULL: a "%" without its digits, or a NUL. */
static weir_span_t decode(h2o_req_t *req, const char *from, size_t bytes, bool is_query)
{
    char *to = h2o_mem_alloc_pool(&req->pool, bytes + 1);
    size_t length = 0;

    for (size_t i = 0; i < bytes; i++) {
        char c = from[i] == '+' && is_query ? ' ' : from[i];
        if (c == '%') {
            const int high = i + 2 < bytes ? hex_of(from[i + 1]) : -1, low = i + 2 < bytes ? hex_of(from[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return (weir_span_t){NULL, 0};
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[length++] = c;
    }
    to[length] = '\0';
    return (weir_span_t){to, length};
}

static bool read_segments(weir_admin_call_t *call, const char *at, const char *end)
{
    while (at < end) {
        at++;
        const char *slash = memchr(at, '/', (size_t)(end - at)), *stop = slash == NULL ? end : slash;
        if (stop == end && at == end)
            return true; /* "/" at the end */
        if (call->segment_count == ADMIN_SEGMENTS)
            return false;
        call->segments[call->segment_count] = decode(call->req, at, (size_t)(stop - at), false);
        if (call->segments[call->segment_count++].base == NULL)
            return false;
        at = stop;
    }
    return true;
}

weir_admin_call_t *admin_call_of(h2o_req_t *req, const weir_admin_caller_t *caller, admin_open_t *open)
{
    weir_admin_call_t *call = h2o_mem_alloc_pool(&req->pool, sizeof(*call));
    const char *path = req->path.base, *end = path + req->path.len, *query = memchr(path, '?', req->path.len);

    memset(call, 0, sizeof(*call));
    call->req = req;
    call->caller = caller;
    call->open = open;
    if (query != NULL)
        call->query = (weir_span_t){query + 1, (size_t)(end - query) - 1};
    if (req->path.len > 0 && *path == '/' && read_segments(call, path, query != NULL ? query : end))
        return call;
    weir_admin_problem(call, BAD_REQUEST, "malformed", NULL, "the path is none");
    return NULL;
}

weir_span_t weir_admin_method(const weir_admin_call_t *call)
{
    return (weir_span_t){call->req->method.base, call->req->method.len};
}

weir_span_t weir_admin_segment(const weir_admin_call_t *call, size_t index)
{
    return call->first + index < call->segment_count ? call->segments[call->first + index] : (weir_span_t){NULL, 0};
}

void weir_admin_skip(weir_admin_call_t *call, size_t count)
{
    call->first += count;
}

weir_span_t weir_admin_parameter(const weir_admin_call_t *call, const char *name)
{
    const char *at = call->query.base, *end = at + call->query.len;
    const size_t length = strlen(name);

    while (at != NULL && at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        const bool is_it = (size_t)(stop - at) >= length && memcmp(at, name, length) == 0;
        if (is_it && at + length == stop)
            return (weir_span_t){"", 0};
        if (is_it && at[length] == '=')
            return decode(call->req, at + length + 1, (size_t)(stop - at) - length - 1, true);
        at = stop + 1;
    }
    return (weir_span_t){NULL, 0};
}

weir_span_t weir_admin_field(const weir_admin_call_t *call, const char *name)
{
    const ssize_t index = h2o_find_header_by_str(&call->req->headers, name, strlen(name), -1);

    if (index == -1)
        return (weir_span_t){NULL, 0};
    const h2o_iovec_t *value = &call->req->headers.entries[index].value;
    return (weir_span_t){value->base, value->len};
}

weir_span_t weir_admin_body(const weir_admin_call_t *call)
{
    const h2o_iovec_t *entity = &call->req->entity;
    char *copy = h2o_mem_alloc_pool(&call->req->pool, entity->len + 1);

    if (entity->len > 0)
        memcpy(copy, entity->base, entity->len);
    copy[entity->len] = '\0';
    return (weir_span_t){copy, entity->len};
}

const weir_admin_caller_t *weir_admin_caller(const weir_admin_call_t *call)
{
    return call->caller;
}

/* ---- answering ---- */

static void add_field(h2o_req_t *req, const char *name, const char *value)
{
    const h2o_iovec_t copied_name = h2o_strdup(&req->pool, name, SIZE_MAX), copied = h2o_strdup(&req->pool, value, SIZE_MAX);

    h2o_add_header_by_str(&req->pool, &req->res.headers, copied_name.base, copied_name.len, 0, NULL, copied.base, copied.len);
}

void weir_admin_add(weir_admin_call_t *call, const char *name, const char *value)
{
    if (!call->is_inner)
        add_field(call->req, name, value);
}

/* Of the length that the body would have. */
static void respond_head(h2o_req_t *req)
{
    static h2o_generator_t generator = {NULL, NULL};

    h2o_start_response(req, &generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

void admin_request_respond(h2o_req_t *req, uint16_t status, const char *type, const char *body, size_t bytes)
{
    req->res.status = status;
    req->res.reason = weir_status_reason(status);
    if (status != NO_CONTENT)
        add_field(req, "content-type", type);
    add_field(req, "cache-control", "no-store");
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD")))
        respond_head(req);
    else
        h2o_send_inline(req, body == NULL ? "" : body, body == NULL ? 0 : bytes);
}

static void respond(weir_admin_call_t *call, uint16_t status, const char *type, const char *body, size_t bytes)
{
    if (call->is_answered)
        return;
    call->is_answered = true;
    if (call->is_inner)
        admin_inner_keep(call, status, body, bytes);
    else
        admin_request_respond(call->req, status, type, body, bytes);
}

void admin_call_respond(weir_admin_call_t *call, uint16_t status, const char *type, const char *body, size_t bytes)
{
    respond(call, status, type, body, bytes);
}

void weir_admin_answer(weir_admin_call_t *call, uint16_t status, const char *json, size_t bytes)
{
    respond(call, status, "application/json", json, bytes);
}

void weir_admin_answer_as(weir_admin_call_t *call, uint16_t status, const char *type, const char *body, size_t bytes)
{
    if (!call->is_answered && !call->is_inner)
        call->req->res.content_length = bytes;
    respond(call, status, type, body, bytes);
}

/* A path may bring any bytes. What is none has its bytes beyond ASCII replaced. */
static void make_utf8(char *text)
{
    json_t *as_it_is = json_string(text);

    for (char *c = text; as_it_is == NULL && *c != '\0'; c++)
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    json_decref(as_it_is);
}

char *admin_problem_text(uint16_t status, const char *type, const char *pointer, const char *detail)
{
    char urn[DETAIL_BYTES / 4];

    snprintf(urn, sizeof(urn), "urn:weir:problem:%s", type);
    json_t *problem = json_pack("{s:s, s:s, s:i, s:o?, s:s*}", "type", urn, "title", weir_status_reason(status), "status",
                                (int)status, "detail", json_string(detail), "pointer", pointer);
    char *text = json_dumps(problem, JSON_COMPACT);
    json_decref(problem);
    return text;
}

void weir_admin_problem(weir_admin_call_t *call, uint16_t status, const char *type, const char *pointer, const char *format,
                        ...)
{
    char detail[DETAIL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    make_utf8(detail);
    char *text = admin_problem_text(status, type, pointer, detail);
    respond(call, status, "application/problem+json", text, text == NULL ? 0 : strlen(text));
    free(text);
}

/* ---- whom it comes from, and what it would cost ---- */

static bool is_too_much(weir_admin_call_t *call)
{
    if (weir_json_is_bounded((weir_span_t){call->req->entity.base, call->req->entity.len}))
        return false;
    weir_admin_problem(call, TOO_LARGE, "too-large", NULL,
                       "a document has at most %d values, %d keys in an object, and a depth of %d", WEIR_JSON_VALUES,
                       WEIR_JSON_KEYS, WEIR_JSON_DEPTH);
    return true;
}

bool admin_call_refuse(weir_admin_call_t *call)
{
    const h2o_req_t *req = call->req;
    const admin_provenance_t of = {
        .method = weir_admin_method(call),
        .host = {req->authority.base, req->authority.len},
        .origin = weir_admin_field(call, "origin"),
        .fetch_site = weir_admin_field(call, "sec-fetch-site"),
        .accept_encoding = weir_admin_field(call, "accept-encoding"),
        .own_host = {call->own_host, call->own_host == NULL ? 0 : strlen(call->own_host)},
    };
    const char *why = admin_distrust(&of);

    if (why != NULL)
        weir_admin_problem(call, FORBIDDEN, "foreign-origin", NULL, "%s", why);
    return why != NULL || is_too_much(call);
}

/* ---- routes ---- */

/* *out_first: the segment that the first "*" or "**" stands for. */
static bool fits(const weir_admin_call_t *call, const char *path, size_t *out_first)
{
    size_t index = 0;

    *out_first = SIZE_MAX;
    while (*path == '/') {
        const size_t length = strcspn(++path, "/");
        const bool is_any = length == 1 && *path == '*', is_rest = length == 2 && memcmp(path, "**", 2) == 0;
        if ((is_any || is_rest) && *out_first == SIZE_MAX)
            *out_first = index;
        if (is_rest)
            return true;
        if (index == call->segment_count)
            return length == 0;
        const weir_span_t segment = call->segments[index++];
        if (!is_any && (segment.len != length || memcmp(segment.base, path, length) != 0))
            return false;
        path += length;
    }
    *out_first = *out_first == SIZE_MAX ? index : *out_first;
    return index == call->segment_count;
}

static bool has_method(const weir_admin_call_t *call, const char *method)
{
    return strlen(method) == call->req->method.len && memcmp(method, call->req->method.base, call->req->method.len) == 0;
}

void admin_call_route(weir_admin_call_t *call, const weir_admin_route_t *routes)
{
    char allowed[ALLOW_BYTES] = "";

    for (const weir_admin_route_t *route = routes; route->method != NULL; route++) {
        size_t first;
        if (!fits(call, route->path, &first))
            continue;
        if (*route->method == '*' || has_method(call, route->method)) {
            call->first = first;
            route->answer(call);
            return;
        }
        const size_t length = strlen(allowed);
        snprintf(allowed + length, sizeof(allowed) - length, "%s%s", length == 0 ? "" : ", ", route->method);
    }
    if (*allowed == '\0') {
        weir_admin_problem(call, NOT_FOUND, "unknown-path", NULL, "there is nothing at this path; GET /v1 tells what there is");
        return;
    }
    weir_admin_add(call, "Allow", allowed);
    weir_admin_problem(call, NOT_ALLOWED, "method-not-allowed", NULL, "this path takes %s", allowed);
}
