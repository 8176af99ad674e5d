/* SPDX-License-Identifier: MIT */
/* The head of a request as a FastCGI application has it: variables of CGI (RFC 3875 §4.1), and those that PHP looks for. */
#include <stdlib.h>
#include <string.h>

#include "handlers/backend_head.h"
#include "lib/base/span.h"
#include "lib/http/cgi_script.h"
#include "lib/http/fastcgi.h"

enum { FIRST_BYTES = 2048, DIGITS = 20, PREFIX_BYTES = 5 /* HTTP_ */ };

typedef struct params {
    weir_arena_t *arena;
    char *base;
    size_t len, capacity;
} params_t;

/* Room for `bytes` more. */
static char *reserve(params_t *params, size_t bytes)
{
    char *larger;

    if (params->capacity - params->len >= bytes)
        return params->base + params->len;
    params->capacity = 2 * params->capacity + FIRST_BYTES + bytes;
    larger = weir_arena_alloc(params->arena, params->capacity);
    if (params->base != NULL)
        memcpy(larger, params->base, params->len);
    params->base = larger;
    return larger + params->len;
}

static void add(params_t *params, weir_span_t name, weir_span_t value)
{
    char *at = reserve(params, weir_fastcgi_pair_bytes(name.len, value.len));

    params->len = (size_t)(weir_fastcgi_write_pair(at, name, value) - params->base);
}

static void add_number(params_t *params, weir_span_t name, uint64_t number)
{
    char digits[DIGITS];

    add(params, name, weir_span_of_u64(number, digits));
}

static weir_span_t join(weir_arena_t *arena, weir_span_t front, weir_span_t back)
{
    return weir_arena_format(arena, "%.*s%.*s", (int)front.len, front.len > 0 ? front.base : "", (int)back.len,
                             back.len > 0 ? back.base : "");
}

/* ---- what the path means ---- */

static const weir_fault_t *find_script(weir_exchange_t *x, weir_cgi_script_t *out)
{
    const weir_fastcgi_t *fastcgi = x->target.fastcgi;
    const weir_span_t none = {NULL, 0};

    *out = x->request.script;
    if (out->name.len != 0)
        return NULL;
    return weir_cgi_script_find(&x->arena, weir_backend_path(x), fastcgi != NULL ? fastcgi->suffix : none,
                                fastcgi != NULL ? fastcgi->index : none, out);
}

static weir_span_t file_of(weir_exchange_t *x, const weir_cgi_script_t *script, weir_span_t root)
{
    if (x->request.script.name.len != 0)
        return x->request.script_file;
    if (script->name.len == 0)
        return (weir_span_t){NULL, 0};
    return join(&x->arena, root, script->name);
}

static void add_script(params_t *params, weir_exchange_t *x, const weir_cgi_script_t *script)
{
    const weir_span_t root = x->target.fastcgi != NULL ? x->target.fastcgi->root : (weir_span_t){NULL, 0};
    const weir_span_t file = file_of(x, script, root);
    const bool is_delegated = x->target.fastcgi != NULL && x->target.fastcgi->is_delegated;

    add(params, WEIR_SPAN("SCRIPT_NAME"), script->name);
    if (file.len != 0)
        add(params, WEIR_SPAN("SCRIPT_FILENAME"), file);
    if (script->path_info.len != 0)
        add(params, WEIR_SPAN("PATH_INFO"), script->path_info);
    if (root.len != 0)
        add(params, WEIR_SPAN("DOCUMENT_ROOT"), root);
    if (root.len != 0 && script->path_info.len != 0)
        add(params, WEIR_SPAN("PATH_TRANSLATED"), join(&x->arena, root, script->path_info));
    add(params, WEIR_SPAN("DOCUMENT_URI"), join(&x->arena, script->name, script->path_info));
    add(params, WEIR_SPAN("REQUEST_URI"), is_delegated ? x->request.target : x->request.asked.target);
    add(params, WEIR_SPAN("QUERY_STRING"), script->query);
}

/* ---- who asks whom for what ---- */

static weir_span_t version_of(const weir_request_t *request)
{
    if (request->version == 20)
        return WEIR_SPAN("HTTP/2.0");
    return request->version == 11 ? WEIR_SPAN("HTTP/1.1") : WEIR_SPAN("HTTP/1.0");
}

static void add_request(params_t *params, const weir_request_t *request)
{
    add(params, WEIR_SPAN("GATEWAY_INTERFACE"), WEIR_SPAN("CGI/1.1"));
    add(params, WEIR_SPAN("SERVER_SOFTWARE"), WEIR_SPAN("weir/" WEIR_VERSION));
    add(params, WEIR_SPAN("SERVER_PROTOCOL"), version_of(request));
    add(params, WEIR_SPAN("SERVER_NAME"), request->asked.host.len > 0 ? request->asked.host : WEIR_SPAN("localhost"));
    add_number(params, WEIR_SPAN("SERVER_PORT"), request->listen_port);
    add(params, WEIR_SPAN("REMOTE_ADDR"), request->peer_ip);
    add_number(params, WEIR_SPAN("REMOTE_PORT"), request->peer_port);
    add(params, WEIR_SPAN("REQUEST_METHOD"), request->method);
    add(params, WEIR_SPAN("REQUEST_SCHEME"), request->scheme);
    if (weir_span_equal(request->scheme, WEIR_SPAN("https")))
        add(params, WEIR_SPAN("HTTPS"), WEIR_SPAN("on"));
    add(params, WEIR_SPAN("REDIRECT_STATUS"), WEIR_SPAN("200")); /* without it php-cgi takes itself for called by hand */
    if (request->framing.kind == WEIR_FRAMING_LENGTH)
        add_number(params, WEIR_SPAN("CONTENT_LENGTH"), request->framing.length_bytes);
}

/* ---- its header ---- */

/* Equal names stand together then, as they came: with many fields nobody is compared with all others. */
static int compare_fields(const void *a, const void *b)
{
    const weir_header_t *one = *(const weir_header_t *const *)a, *other = *(const weir_header_t *const *)b;

    if (one->name.len != other->name.len)
        return one->name.len < other->name.len ? -1 : 1;
    for (size_t i = 0; i < one->name.len; i++) {
        const int difference = weir_lower(one->name.base[i]) - weir_lower(other->name.base[i]);
        if (difference != 0)
            return difference;
    }
    return one < other ? -1 : 1;
}

static const weir_header_t **sort_fields(weir_arena_t *arena, const weir_headers_t *headers)
{
    const weir_header_t **sorted = weir_arena_alloc(arena, (headers->count + 1) * sizeof(*sorted));

    for (size_t i = 0; i < headers->count; i++)
        sorted[i] = &headers->at[i];
    qsort(sorted, headers->count, sizeof(*sorted), compare_fields);
    return sorted;
}

/* RFC 3875 §4.1.18, RFC 6265 §5.4: fields of one name are one variable. */
static weir_span_t join_values(weir_arena_t *arena, const weir_header_t *const *fields, size_t count)
{
    const bool is_cookie = weir_equal_nocase(fields[0]->name, WEIR_SPAN("Cookie"));
    size_t bytes = 0;
    char *value, *at;

    if (count == 1)
        return fields[0]->value;
    for (size_t i = 0; i < count; i++)
        bytes += fields[i]->value.len + 2;
    value = at = weir_arena_alloc(arena, bytes);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            at = weir_append(at, is_cookie ? WEIR_SPAN("; ") : WEIR_SPAN(", "));
        at = weir_append(at, fields[i]->value);
    }
    return (weir_span_t){value, (size_t)(at - value)};
}

/* `count` fields of one name. */
static void add_field(params_t *params, const weir_header_t *const *fields, size_t count)
{
    const weir_header_t *field = fields[0];
    char *name;

    if (field->id == WEIR_HEADER_EXPECT)
        return; /* it is met by us */
    if (weir_equal_nocase(field->name, WEIR_SPAN("Content-Type"))) {
        add(params, WEIR_SPAN("CONTENT_TYPE"), field->value);
        return;
    }
    name = weir_arena_alloc(params->arena, field->name.len + PREFIX_BYTES);
    if (weir_cgi_variable_of(field->name, name))
        add(params, (weir_span_t){name, field->name.len + PREFIX_BYTES}, join_values(params->arena, fields, count));
}

static void add_fields(params_t *params, const weir_headers_t *headers)
{
    const weir_header_t **sorted = sort_fields(params->arena, headers);

    for (size_t first = 0, end; first < headers->count; first = end) {
        for (end = first + 1; end < headers->count && weir_equal_nocase(sorted[first]->name, sorted[end]->name); end++)
            continue;
        add_field(params, sorted + first, end - first);
    }
}

const weir_fault_t *weir_backend_params(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers, weir_span_t *out)
{
    const weir_header_t *host = weir_headers_find(headers, WEIR_HEADER_HOST); /* the router's: the client's is not among them */
    params_t params = {.arena = arena};
    weir_cgi_script_t script;
    const weir_fault_t *fault = find_script(x, &script);

    if (fault != NULL)
        return fault;
    add_script(&params, x, &script);
    add_request(&params, &x->request);
    if (host == NULL && x->request.asked.authority.len > 0)
        add(&params, WEIR_SPAN("HTTP_HOST"), x->request.asked.authority);
    add_fields(&params, headers);
    *out = (weir_span_t){params.base, params.len};
    return NULL;
}
