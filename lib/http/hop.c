/* SPDX-License-Identifier: MIT */
#include "lib/http/hop.h"

#include "lib/base/span.h"
#include "lib/http/token_list.h"

/*
 * Each nomination costs a walk through all fields. Beyond this many they are ignored, which harms only those who sent them;
 * thousands of them in one head would otherwise be a cheap attack.
 */
enum { MOST_NOMINATIONS = 100 };

#define NAME(literal)                                                                                                          \
    {                                                                                                                          \
        (literal), sizeof(literal) - 1                                                                                         \
    }

/* RFC 9110 §7.6.1: a Connection option must not name a field that is meant for everyone on the way. */
static const weir_span_t end_to_end_names[] = {
    NAME("authorization"), NAME("cache-control"),    NAME("connect-time"), NAME("cookie"),          NAME("forwarded"),
    NAME("max-forwards"),  NAME("total-route-time"), NAME("x-request-id"), NAME("x-request-start"),
};

static const weir_span_t end_to_end_prefixes[] = {
    NAME("content-"),
    NAME("if-"),
    NAME("x-forwarded-"),
};

static bool has_prefix(weir_span_t name, weir_span_t prefix)
{
    return name.len >= prefix.len && weir_equal_nocase((weir_span_t){name.base, prefix.len}, prefix);
}

/* Whether a client's nomination of `name` has no effect. */
static bool is_end_to_end(weir_span_t name)
{
    /* With an id, it is removed anyway or must stay: Date, Expect, Via, X-Forwarded-… */
    if (weir_header_id(name) != WEIR_HEADER_OTHER)
        return true;
    for (size_t i = 0; i < sizeof(end_to_end_names) / sizeof(end_to_end_names[0]); i++) {
        if (weir_equal_nocase(name, end_to_end_names[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof(end_to_end_prefixes) / sizeof(end_to_end_prefixes[0]); i++) {
        if (has_prefix(name, end_to_end_prefixes[i]))
            return true;
    }
    return false;
}

/* The options that name no field, or one that we remove in any case unless it is kept on purpose. */
static bool is_plain_option(weir_span_t option)
{
    return weir_equal_nocase(option, WEIR_SPAN("keep-alive")) || weir_equal_nocase(option, WEIR_SPAN("close")) ||
           weir_equal_nocase(option, WEIR_SPAN("upgrade"));
}

typedef struct nominations {
    weir_span_t names[MOST_NOMINATIONS];
    size_t count;
} nominations_t;

static void collect_nominations(const weir_headers_t *headers, bool (*is_kept)(weir_span_t name), nominations_t *out)
{
    out->count = 0;
    for (size_t i = 0; i < headers->count; i++) {
        weir_span_t options, option;

        if (headers->at[i].id != WEIR_HEADER_CONNECTION)
            continue;
        options = headers->at[i].value;
        while (out->count < MOST_NOMINATIONS && weir_token_list_next(&options, &option)) {
            if (!is_plain_option(option) && !is_kept(option))
                out->names[out->count++] = option;
        }
    }
}

static bool is_nominated(const nominations_t *nominations, weir_span_t name)
{
    for (size_t i = 0; i < nominations->count; i++) {
        if (weir_equal_nocase(nominations->names[i], name))
            return true;
    }
    return false;
}

/* What neither direction forwards. Content-Length and Transfer-Encoding are written anew. */
static bool is_hop_by_hop(const weir_header_t *field, bool keep_upgrade)
{
    switch (field->id) {
    case WEIR_HEADER_CONNECTION:
    case WEIR_HEADER_CONTENT_LENGTH:
    case WEIR_HEADER_KEEP_ALIVE:
    case WEIR_HEADER_PROXY_AUTHORIZATION:
    case WEIR_HEADER_PROXY_CONNECTION:
    case WEIR_HEADER_TE:
    case WEIR_HEADER_TRANSFER_ENCODING:
        return true;
    case WEIR_HEADER_UPGRADE:
        return !keep_upgrade;
    case WEIR_HEADER_OTHER:
    case WEIR_HEADER_DATE:
    case WEIR_HEADER_EXPECT:
    case WEIR_HEADER_HOST:
    case WEIR_HEADER_PROXY_AUTHENTICATE:
    case WEIR_HEADER_SERVER:
    case WEIR_HEADER_SET_COOKIE:
    case WEIR_HEADER_TRAILER:
    case WEIR_HEADER_VIA:
    case WEIR_HEADER_X_FORWARDED_FOR:
    case WEIR_HEADER_X_FORWARDED_PEER_PORT:
    case WEIR_HEADER_X_FORWARDED_PORT:
    case WEIR_HEADER_X_FORWARDED_PROTO:
        break;
    }
    return false;
}

void weir_hop_strip_request(weir_headers_t *headers, bool keep_upgrade)
{
    nominations_t nominations;
    size_t kept = 0;

    collect_nominations(headers, is_end_to_end, &nominations);
    for (size_t i = 0; i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];

        if (is_hop_by_hop(field, keep_upgrade) || field->id == WEIR_HEADER_HOST)
            continue;
        if (weir_header_is(field, WEIR_HEADER_OTHER, WEIR_SPAN("http2-settings")))
            continue;
        if (!is_nominated(&nominations, field->name))
            headers->at[kept++] = *field;
    }
    headers->count = kept;
}

/* Framing and connection are the proxy's own; a wrong word there lets one message pass for two. */
bool weir_hop_may_set(weir_span_t name, weir_span_t value)
{
    weir_header_id_t id = weir_header_id(name);

    return weir_is_token(name) && weir_is_one_line(value) && id != WEIR_HEADER_CONNECTION && id != WEIR_HEADER_CONTENT_LENGTH &&
           id != WEIR_HEADER_TRANSFER_ENCODING && id != WEIR_HEADER_KEEP_ALIVE && id != WEIR_HEADER_PROXY_CONNECTION &&
           id != WEIR_HEADER_TE && id != WEIR_HEADER_TRAILER && id != WEIR_HEADER_UPGRADE && id != WEIR_HEADER_EXPECT;
}

/* A backend may nominate whatever it likes. */
static bool is_never_kept(weir_span_t name)
{
    return false;
}

void weir_hop_strip_response(weir_headers_t *headers, bool keep_upgrade)
{
    nominations_t nominations;
    size_t kept = 0;

    collect_nominations(headers, is_never_kept, &nominations);
    for (size_t i = 0; i < headers->count; i++) {
        const weir_header_t *field = &headers->at[i];

        if (!is_hop_by_hop(field, keep_upgrade) && !is_nominated(&nominations, field->name))
            headers->at[kept++] = *field;
    }
    headers->count = kept;
}

bool weir_hop_is_persistent(const weir_headers_t *headers, uint8_t minor)
{
    bool has_keep_alive = false;

    for (size_t i = 0; i < headers->count; i++) {
        if (headers->at[i].id != WEIR_HEADER_CONNECTION)
            continue;
        if (weir_token_list_has(headers->at[i].value, WEIR_SPAN("close")))
            return false;
        has_keep_alive = has_keep_alive || weir_token_list_has(headers->at[i].value, WEIR_SPAN("keep-alive"));
    }
    return minor == 1 || has_keep_alive;
}
