/* SPDX-License-Identifier: MIT */
#include "lib/http/cgi_script.h"

#include <string.h>

#include "lib/base/span.h"

/* A percent sign that begins no escape stands for itself. */
static weir_span_t decode(weir_arena_t *arena, weir_span_t path)
{
    char *out = weir_arena_alloc(arena, path.len + 1), *at = out;

    for (size_t i = 0; i < path.len; i++) {
        const bool is_escape = path.base[i] == '%' && path.len - i > 2 && weir_hex_value(path.base[i + 1]) >= 0 &&
                               weir_hex_value(path.base[i + 2]) >= 0;
        *at++ = is_escape ? (char)(weir_hex_value(path.base[i + 1]) * 16 + weir_hex_value(path.base[i + 2])) : path.base[i];
        i += is_escape ? 2 : 0;
    }
    *at = '\0';
    return (weir_span_t){out, (size_t)(at - out)};
}

/* Takes the next segment off the front of `rest`, with the slash before it. */
static weir_span_t next_segment(weir_span_t *rest)
{
    const char *slash = memchr(rest->base + 1, '/', rest->len - 1);
    const weir_span_t segment = {rest->base + 1, slash == NULL ? rest->len - 1 : (size_t)(slash - rest->base - 1)};

    rest->base += segment.len + 1;
    rest->len -= segment.len + 1;
    return segment;
}

static bool is_dots(weir_span_t segment)
{
    return weir_span_equal(segment, WEIR_SPAN(".")) || weir_span_equal(segment, WEIR_SPAN(".."));
}

static bool is_script(weir_span_t segment, weir_span_t suffix)
{
    return segment.len > suffix.len && memcmp(segment.base + segment.len - suffix.len, suffix.base, suffix.len) == 0;
}

/* Whether it begins with a slash and leads nowhere but down. */
static bool is_downward(weir_span_t path)
{
    if (path.len == 0 || path.base[0] != '/' || memchr(path.base, '\0', path.len) != NULL)
        return false;
    while (path.len > 0) {
        if (is_dots(next_segment(&path)))
            return false;
    }
    return true;
}

const weir_fault_t *weir_cgi_script_find(weir_arena_t *arena, weir_span_t target, weir_span_t suffix, weir_span_t index,
                                         weir_cgi_script_t *out)
{
    const char *mark = target.len == 0 ? NULL : memchr(target.base, '?', target.len);
    const size_t path_bytes = mark == NULL ? target.len : (size_t)(mark - target.base);
    const weir_span_t path = decode(arena, (weir_span_t){target.base, path_bytes});
    weir_span_t rest = path;

    *out = (weir_cgi_script_t){0};
    if (mark != NULL)
        out->query = (weir_span_t){mark + 1, target.len - path_bytes - 1};
    if (!is_downward(path))
        return &weir_fault_bad_script_path;
    if (suffix.len == 0) {
        out->path_info = path;
        return NULL;
    }
    while (rest.len > 0) {
        if (!is_script(next_segment(&rest), suffix))
            continue;
        out->name = (weir_span_t){path.base, path.len - rest.len};
        out->path_info = rest;
        return NULL;
    }
    out->name = weir_arena_format(arena, "/%.*s", (int)index.len, index.base);
    return NULL;
}

bool weir_cgi_variable_of(weir_span_t name, char *out)
{
    if (weir_equal_nocase(name, WEIR_SPAN("Proxy")))
        return false;
    memcpy(out, "HTTP_", 5);
    out += 5;
    for (size_t i = 0; i < name.len; i++) {
        const char c = weir_lower(name.base[i]);
        const bool is_letter = c >= 'a' && c <= 'z';
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-')
            return false;
        out[i] = is_letter ? (char)(c - 32) : c == '-' ? '_' : c;
    }
    return true;
}
