/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "conf/explain.h"
#include "lib/base/span.h"
#include "lib/http/host.h"
#include "lib/http/network.h"
#include "lib/http/token_list.h"

typedef struct reading {
    const json_t *body;
    weir_arena_t *arena;
    conf_explain_question_t *out;
    const char **pointer, **problem;
} reading_t;

static bool wrong(const reading_t *it, const char *pointer, const char *problem)
{
    *it->pointer = pointer;
    *it->problem = problem;
    return false;
}

static bool is_token(weir_span_t text)
{
    size_t i = 0;

    while (i < text.len && weir_is_token_char(text.base[i]))
        i++;
    return i == text.len && text.len > 0;
}

static bool has_only_known(const reading_t *it)
{
    static const char *const known[] = {"method", "url", "headers", "from", "seed"};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)it->body, key, value)
    {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], key) != 0)
            i++;
        if (i == sizeof(known) / sizeof(known[0]))
            return wrong(it, NULL, "there are `method`, `url`, `headers`, `from` and `seed`");
    }
    return true;
}

/* A text of the body; base NULL: there is none of that name. False: it is no text. */
static bool text_at(const reading_t *it, const char *key, const char *otherwise, weir_span_t *out)
{
    const json_t *value = json_object_get(it->body, key);

    if (value != NULL && !json_is_string(value))
        return false;
    const char *text = value == NULL ? otherwise : json_string_value(value);
    const weir_span_t span = {text, text == NULL ? 0 : strlen(text)};
    *out = text == NULL ? span : weir_arena_copy(it->arena, span);
    return true;
}

static bool read_url(const reading_t *it)
{
    static const weir_span_t http = {"http://", 7}, https = {"https://", 8};
    weir_explained_t *request = &it->out->request;
    weir_span_t url, host;
    int32_t port;

    if (!text_at(it, "url", NULL, &url) || url.base == NULL || url.len > CONF_EXPLAIN_BYTES)
        return wrong(it, "/url", "a URL is needed: https://shop.example/cart");
    const bool is_https = weir_span_starts_with(url, https);
    if (!is_https && !weir_span_starts_with(url, http))
        return wrong(it, "/url", "a URL begins with http:// or https://");
    it->out->url = url.base;
    request->scheme = is_https ? WEIR_SPAN("https") : WEIR_SPAN("http");
    const char *at = url.base + (is_https ? https.len : http.len);
    const size_t length = strcspn(at, "/?#");
    request->authority = (weir_span_t){at, length};
    request->target = (weir_span_t){at + length, strcspn(at + length, "#")};
    if (request->target.len == 0)
        request->target = WEIR_SPAN("/");
    if (!weir_host_split(request->authority, &host, &port) || host.len == 0)
        return wrong(it, "/url", "the URL names no host");
    if (request->target.base[0] != '/' || !weir_is_one_line(request->target) ||
        memchr(request->target.base, ' ', request->target.len) != NULL)
        return wrong(it, "/url", "behind the host stands a path: /cart?size=3");
    return true;
}

static bool read_method(const reading_t *it)
{
    if (!text_at(it, "method", "GET", &it->out->request.method) || !is_token(it->out->request.method))
        return wrong(it, "/method", "a method is a word: GET");
    return true;
}

static bool read_from(const reading_t *it)
{
    weir_network_t network;
    weir_span_t from;

    if (!text_at(it, "from", "127.0.0.1", &from) || strchr(from.base, '/') != NULL || !weir_network_read(from.base, &network))
        return wrong(it, "/from", "where the client is: an address, 192.0.2.1 or 2001:db8::1");
    it->out->request.peer_ip = from;
    return true;
}

static bool add_field(const reading_t *it, const char *name, const json_t *value)
{
    const char *text = json_string_value(value);
    const weir_span_t name_span = {name, strlen(name)}, value_span = {text, text == NULL ? 0 : strlen(text)};

    if (text == NULL || !is_token(name_span) || !weir_is_one_line(value_span) || it->out->headers.count == CONF_EXPLAIN_FIELDS)
        return wrong(it, "/headers", "at most 100 fields: a name, and a line of text or a list of such");
    if (weir_equal_nocase(name_span, WEIR_SPAN("host")))
        return wrong(it, "/headers", "the URL names the host");
    weir_headers_add(&it->out->headers, it->arena, weir_arena_copy(it->arena, name_span),
                     weir_arena_copy(it->arena, value_span));
    return true;
}

static bool read_headers(const reading_t *it)
{
    const json_t *headers = json_object_get(it->body, "headers");
    const char *name;
    json_t *value;

    if (headers != NULL && !json_is_object(headers))
        return wrong(it, "/headers", "an object of fields");
    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++)
            if (!add_field(it, name, json_array_get(value, i)))
                return false;
        if (!json_is_array(value) && !add_field(it, name, value))
            return false;
    }
    return true;
}

/* One that is drawn is told, so that the question can be asked again. A number of JSON has 53 bits everywhere. */
static bool read_seed(const reading_t *it)
{
    const json_t *seed = json_object_get(it->body, "seed");
    uint64_t drawn = 0;

    if (seed != NULL && (!json_is_integer(seed) || json_integer_value(seed) < 0))
        return wrong(it, "/seed", "a number, from 0 on");
    (void)!getrandom(&drawn, sizeof(drawn), GRND_NONBLOCK);
    it->out->request.seed = seed != NULL ? (uint64_t)json_integer_value(seed) : drawn >> 32;
    return true;
}

bool conf_explain_read(const json_t *body, weir_arena_t *arena, conf_explain_question_t *out, const char **pointer,
                       const char **problem)
{
    const reading_t it = {body, arena, out, pointer, problem};

    if (!json_is_object(body))
        return wrong(&it, NULL, "the body must be a JSON object");
    if (!has_only_known(&it) || !read_url(&it) || !read_method(&it) || !read_from(&it) || !read_headers(&it) || !read_seed(&it))
        return false;
    out->request.headers = &out->headers;
    return true;
}
