/* SPDX-License-Identifier: MIT */
#include "lib/http/trusted_way.h"

#include <string.h>

#include "lib/base/span.h"

typedef struct hop {
    weir_span_t element; /* as it came */
    weir_span_t ip;
    uint16_t port;
    weir_span_t scheme; /* of Forwarded; base NULL: not told */
    bool is_trusted;
} hop_t;

typedef struct way {
    hop_t hops[WEIR_TRUSTED_HOPS]; /* the nearest first */
    size_t count;
    bool is_over; /* the client is found, or what follows is not believed */
    weir_arena_t *arena;
    const weir_network_t *trusted;
    size_t trusted_count;
} way_t;

/* ---- addresses ---- */

/* A copy that ends with a NUL; empty if it cannot be an address. */
static void copy_text(weir_span_t text, char out[static WEIR_NETWORK_TEXT])
{
    out[0] = '\0';
    if (text.len >= WEIR_NETWORK_TEXT || memchr(text.base, '/', text.len) != NULL || memchr(text.base, '\0', text.len) != NULL)
        return;
    memcpy(out, text.base, text.len);
    out[text.len] = '\0';
}

static bool holds(const way_t *way, weir_span_t ip)
{
    char text[WEIR_NETWORK_TEXT];
    weir_network_t single;

    if (ip.len == 0)
        return false;
    copy_text(ip, text);
    return weir_network_read(text, &single) && weir_networks_hold_one(way->trusted, way->trusted_count, &single);
}

static bool read_port(weir_span_t digits, uint16_t *out_port)
{
    uint64_t port;

    if (!weir_span_to_u63(digits, &port) || port > UINT16_MAX)
        return false;
    *out_port = (uint16_t)port;
    return true;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80": the address in its usual form. */
static bool read_address(weir_span_t text, hop_t *hop, weir_arena_t *arena)
{
    const char *end = text.base + text.len, *bracket, *colon;
    char buffer[WEIR_NETWORK_TEXT];
    weir_span_t ip = text;
    weir_network_t single;

    if (text.len == 0)
        return false;
    bracket = text.base[0] == '[' ? memchr(text.base, ']', text.len) : NULL;
    colon = memchr(text.base, ':', text.len);
    if (bracket != NULL) {
        ip = (weir_span_t){text.base + 1, (size_t)(bracket - text.base - 1)};
        colon = bracket + 1 == end ? NULL : bracket + 1;
        if (memchr(ip.base, ':', ip.len) == NULL || (colon != NULL && *colon != ':'))
            return false;
    } else if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL) {
        colon = NULL; /* IPv6, bare */
    } else if (colon != NULL) {
        ip.len = (size_t)(colon - text.base);
    }
    if (colon != NULL && !read_port((weir_span_t){colon + 1, (size_t)(end - colon - 1)}, &hop->port))
        return false;
    copy_text(ip, buffer);
    if (!weir_network_read(buffer, &single) || single.family == AF_UNIX)
        return false;
    weir_network_write(&single, buffer);
    hop->ip = weir_arena_copy(arena, (weir_span_t){buffer, strlen(buffer)});
    return true;
}

/* One more, farther away than those before. */
static void add_hop(way_t *way, hop_t hop)
{
    hop.is_trusted = holds(way, hop.ip);
    way->hops[way->count++] = hop;
    way->is_over = !hop.is_trusted || way->count == WEIR_TRUSTED_HOPS;
}

/* ---- X-Forwarded-For ---- */

/* Takes the last element off the end of *list. */
static weir_span_t take_last(weir_span_t *list)
{
    const char *comma = memrchr(list->base, ',', list->len);
    const size_t kept = comma != NULL ? (size_t)(comma - list->base) : 0;
    const size_t skipped = comma != NULL ? kept + 1 : 0;
    const weir_span_t last = {list->base + skipped, list->len - skipped};

    list->len = kept;
    return weir_span_trim(last);
}

static void walk_list(way_t *way, weir_span_t list)
{
    while (list.len > 0 && !way->is_over) {
        hop_t hop = {.element = take_last(&list)};

        if (hop.element.len == 0)
            continue; /* RFC 9110 §5.6.1: an empty one is none */
        if (read_address(hop.element, &hop, way->arena))
            add_hop(way, hop);
        else
            way->is_over = true;
    }
}

/* ---- Forwarded ---- */

/* Where the element or the parameter that begins at `at` ends: at one of `ends` outside of quotes; NULL: a quote is open. */
static const char *end_of(const char *at, const char *end, const char *ends)
{
    bool is_quoted = false;

    for (; at < end; at++) {
        if (is_quoted && *at == '\\')
            at++;
        else if (*at == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && *at != '\0' && strchr(ends, *at) != NULL)
            return at;
    }
    return is_quoted ? NULL : end;
}

static weir_span_t unquote(weir_span_t value)
{
    if (value.len >= 2 && value.base[0] == '"' && value.base[value.len - 1] == '"')
        return (weir_span_t){value.base + 1, value.len - 2};
    return value;
}

static weir_span_t scheme_of(weir_span_t text)
{
    if (weir_equal_nocase(text, WEIR_SPAN("https")))
        return WEIR_SPAN("https");
    return weir_equal_nocase(text, WEIR_SPAN("http")) ? WEIR_SPAN("http") : (weir_span_t){NULL, 0};
}

/* for= and proto= of an element; false: it names no address. */
static bool read_element(way_t *way, hop_t *hop)
{
    const char *at = hop->element.base, *const end = at + hop->element.len;
    bool has_address = false;

    while (at < end) {
        const char *stop = end_of(at, end, ";");
        const char *equals = stop != NULL ? memchr(at, '=', (size_t)(stop - at)) : NULL;

        if (equals == NULL)
            return false;
        const weir_span_t name = weir_span_trim((weir_span_t){at, (size_t)(equals - at)});
        const weir_span_t value = unquote(weir_span_trim((weir_span_t){equals + 1, (size_t)(stop - equals - 1)}));
        if (weir_equal_nocase(name, WEIR_SPAN("for")))
            has_address = !has_address && read_address(value, hop, way->arena);
        else if (weir_equal_nocase(name, WEIR_SPAN("proto")))
            hop->scheme = scheme_of(value);
        at = stop < end ? stop + 1 : end;
    }
    return has_address;
}

/* Elements are found from the left, as quotes may hold commas, and kept in a ring. */
static void walk_forwarded(way_t *way, weir_span_t list)
{
    weir_span_t ring[WEIR_TRUSTED_HOPS];
    const char *at = list.base, *const end = at + list.len;
    size_t count = 0;

    while (at < end) {
        const char *stop = end_of(at, end, ",");

        if (stop == NULL) { /* nobody knows where its elements end */
            way->is_over = true;
            return;
        }
        const weir_span_t element = weir_span_trim((weir_span_t){at, (size_t)(stop - at)});
        if (element.len > 0)
            ring[count++ % WEIR_TRUSTED_HOPS] = element;
        at = stop < end ? stop + 1 : end;
    }
    for (size_t i = 0; i < count && i < WEIR_TRUSTED_HOPS && !way->is_over; i++) {
        hop_t hop = {.element = ring[(count - 1 - i) % WEIR_TRUSTED_HOPS]};

        if (read_element(way, &hop))
            add_hop(way, hop);
        else
            way->is_over = true;
    }
    way->is_over = way->is_over || count > WEIR_TRUSTED_HOPS;
}

/* ---- the whole ---- */

/* From the last line of this name to the first. */
static bool walk_lines(way_t *way, const weir_headers_t *headers, weir_span_t name, void (*walk)(way_t *, weir_span_t))
{
    const weir_header_id_t id = weir_header_id(name);
    bool has_any = false;

    for (size_t i = headers->count; i-- > 0;) {
        if (!weir_header_is(&headers->at[i], id, name))
            continue;
        has_any = true;
        if (!way->is_over)
            walk(way, headers->at[i].value);
    }
    return has_any;
}

/* One line of what is believed, the client first. */
static void put_way(const way_t *way, weir_headers_t *headers, weir_span_t name, bool is_plain)
{
    size_t length = 0;
    char *text, *at;

    for (size_t i = 0; i < way->count; i++)
        length += 2 + (is_plain ? way->hops[i].ip.len : way->hops[i].element.len);
    text = at = weir_arena_alloc(way->arena, length + 1);
    for (size_t i = way->count; i-- > 0;) {
        at = weir_append(at, is_plain ? way->hops[i].ip : way->hops[i].element);
        if (i > 0)
            at = weir_append(at, WEIR_SPAN(", "));
    }
    weir_headers_put(headers, way->arena, name, (weir_span_t){text, (size_t)(at - text)});
}

static void remove_all(weir_headers_t *headers, weir_span_t name)
{
    const weir_header_id_t id = weir_header_id(name);
    size_t kept = 0;

    for (size_t i = 0; i < headers->count; i++)
        if (!weir_header_is(&headers->at[i], id, name))
            headers->at[kept++] = headers->at[i];
    headers->count = kept;
}

static weir_span_t last_scheme(const weir_headers_t *headers)
{
    weir_span_t list = {NULL, 0};

    for (size_t i = 0; i < headers->count; i++)
        if (headers->at[i].id == WEIR_HEADER_X_FORWARDED_PROTO)
            list = headers->at[i].value;
    return list.len > 0 ? scheme_of(take_last(&list)) : (weir_span_t){NULL, 0};
}

weir_trusted_way_t weir_trusted_way(weir_headers_t *headers, weir_arena_t *arena, weir_span_t peer_ip,
                                    const weir_network_t *trusted, size_t count)
{
    way_t way = {.arena = arena, .trusted = trusted, .trusted_count = count};
    const bool is_trusted = holds(&way, peer_ip);
    weir_trusted_way_t out = {.client_port = 0};
    bool is_plain = true;

    if (is_trusted) {
        out.scheme = last_scheme(headers);
        is_plain = walk_lines(&way, headers, WEIR_SPAN("X-Forwarded-For"), walk_list);
        if (!is_plain)
            (void)walk_lines(&way, headers, WEIR_SPAN("Forwarded"), walk_forwarded);
    } else {
        remove_all(headers, WEIR_SPAN("X-Forwarded-Proto"));
        remove_all(headers, WEIR_SPAN("X-Forwarded-Host"));
    }
    if (way.count == 0 || is_plain)
        remove_all(headers, WEIR_SPAN("Forwarded"));
    if (way.count == 0) {
        remove_all(headers, WEIR_SPAN("X-Forwarded-For"));
        return out;
    }
    put_way(&way, headers, WEIR_SPAN("X-Forwarded-For"), true);
    if (!is_plain)
        put_way(&way, headers, WEIR_SPAN("Forwarded"), false);
    const hop_t *client = &way.hops[way.count - 1];
    out.client_ip = client->ip;
    out.client_port = client->port;
    if (!is_plain && client->scheme.base != NULL)
        out.scheme = client->scheme;
    return out;
}
