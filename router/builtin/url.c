/* SPDX-License-Identifier: MIT */
#include "url.h"

#include <string.h>
#include <strings.h>

enum { PORT_HTTP = 80, PORT_HTTPS = 443, PORT_MOST = 65535 };

static bool starts_with(weir_span_t text, const char *start)
{
    return text.len >= strlen(start) && strncasecmp(text.base, start, strlen(start)) == 0;
}

static weir_span_t behind(weir_span_t text, size_t count)
{
    return (weir_span_t){text.base + count, text.len - count};
}

/* How many bytes of `text` stand before the first of `stops`. */
static size_t span_until(weir_span_t text, const char *stops)
{
    size_t at = 0;

    while (at < text.len && strchr(stops, text.base[at]) == NULL)
        at++;
    return at;
}

static bool read_port(weir_span_t digits, uint16_t *out_port)
{
    unsigned port = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.base[i] < '0' || digits.base[i] > '9' || port > PORT_MOST)
            return false;
        port = port * 10 + (unsigned)(digits.base[i] - '0');
    }
    *out_port = (uint16_t)port;
    return port >= 1 && port <= PORT_MOST;
}

/* The host of `*rest` without its brackets; *rest is what follows. */
static weir_span_t take_host(weir_span_t *rest)
{
    bool has_brackets = rest->len > 0 && rest->base[0] == '[';
    weir_span_t text = has_brackets ? behind(*rest, 1) : *rest;
    size_t len = span_until(text, has_brackets ? "]" : ":/?#");
    weir_span_t host = {text.base, len};

    if (has_brackets && len == text.len)
        return (weir_span_t){NULL, 0};
    *rest = behind(text, len + has_brackets);
    return host;
}

bool url_read(weir_span_t text, url_t *out)
{
    weir_span_t rest;
    size_t digits;

    out->is_https = starts_with(text, "https://");
    if (!out->is_https && !starts_with(text, "http://"))
        return false;
    rest = behind(text, out->is_https ? 8 : 7);
    out->authority.base = rest.base;
    out->port = out->is_https ? PORT_HTTPS : PORT_HTTP;
    out->host = take_host(&rest);
    if (out->host.len == 0)
        return false;
    if (rest.len > 0 && rest.base[0] == ':') {
        digits = span_until(behind(rest, 1), "/?#");
        if (!read_port((weir_span_t){rest.base + 1, digits}, &out->port))
            return false;
        rest = behind(rest, 1 + digits);
    }
    out->authority.len = (size_t)(rest.base - out->authority.base);
    out->path = rest.len > 0 ? rest : (weir_span_t){"/", 1};
    return out->path.base[0] == '/';
}

bool url_is_same_place(const url_t *a, const url_t *b)
{
    return a->is_https == b->is_https && a->port == b->port && a->host.len == b->host.len &&
           strncasecmp(a->host.base, b->host.base, a->host.len) == 0;
}

weir_span_t url_socket(weir_span_t host)
{
    return starts_with(host, "unix:") ? behind(host, 5) : (weir_span_t){NULL, 0};
}

static bool ends_with_slash(weir_span_t path)
{
    return path.len > 0 && path.base[path.len - 1] == '/';
}

bool url_is_below(weir_span_t path, weir_span_t prefix)
{
    if (path.len < prefix.len || memcmp(path.base, prefix.base, prefix.len) != 0)
        return false;
    return path.len == prefix.len || ends_with_slash(prefix) || strchr("/?#", path.base[prefix.len]) != NULL;
}

size_t url_join(weir_span_t from, weir_span_t to, weir_span_t rest, char *out)
{
    size_t len = to.len;

    memcpy(out, to.base, to.len);
    if (ends_with_slash(from) && !ends_with_slash(to))
        out[len++] = '/';
    else if (!ends_with_slash(from) && ends_with_slash(to) && rest.len > 0 && rest.base[0] == '/')
        len--;
    if (rest.len > 0)
        memcpy(out + len, rest.base, rest.len);
    return len + rest.len;
}
