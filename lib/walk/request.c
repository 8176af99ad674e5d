/* SPDX-License-Identifier: MIT */
#include "weir_request.h"

#include <string.h>

#include "lib/base/weir_digest.h"
#include "lib/base/span.h"
#include "lib/http/network.h"
#include "lib/http/token_list.h"
#include "lib/walk/exchange.h"

static const weir_exchange_t *around(const weir_request_t *request)
{
    return WEIR_AROUND(request, weir_exchange_t, request);
}

weir_span_t weir_request_method(const weir_request_t *request)
{
    return request->method;
}

weir_span_t weir_request_target(const weir_request_t *request)
{
    return request->target;
}

static size_t path_length(weir_span_t target)
{
    const char *mark = target.len == 0 ? NULL : memchr(target.base, '?', target.len);

    return mark == NULL ? target.len : (size_t)(mark - target.base);
}

weir_span_t weir_request_path(const weir_request_t *request)
{
    return (weir_span_t){request->target.base, path_length(request->target)};
}

weir_span_t weir_request_query(const weir_request_t *request)
{
    size_t path = path_length(request->target);

    if (path == request->target.len)
        return (weir_span_t){NULL, 0};
    return (weir_span_t){request->target.base + path + 1, request->target.len - path - 1};
}

weir_span_t weir_request_mount(const weir_request_t *request)
{
    return around(request)->plan->mount;
}

weir_span_t weir_request_below(const weir_request_t *request)
{
    return request->below;
}

weir_span_t weir_request_authority(const weir_request_t *request)
{
    return request->authority;
}

weir_span_t weir_request_host(const weir_request_t *request)
{
    return request->host;
}

weir_span_t weir_request_scheme(const weir_request_t *request)
{
    return request->scheme;
}

unsigned weir_request_version(const weir_request_t *request)
{
    return request->version;
}

weir_span_t weir_request_header(const weir_request_t *request, weir_span_t name)
{
    const weir_header_t *header = weir_headers_find_name(&request->headers, name);

    if (header == NULL)
        return (weir_span_t){NULL, 0};
    /* An empty value is there, so it needs a base. */
    return header->value.base == NULL ? WEIR_SPAN("") : header->value;
}

size_t weir_request_header_count(const weir_request_t *request)
{
    return request->headers.count;
}

bool weir_request_header_at(const weir_request_t *request, size_t index, weir_span_t *out_name, weir_span_t *out_value)
{
    if (index >= request->headers.count)
        return false;
    *out_name = request->headers.at[index].name;
    *out_value = request->headers.at[index].value;
    return true;
}

weir_span_t weir_request_id(const weir_request_t *request)
{
    return request->id;
}

weir_span_t weir_request_peer_ip(const weir_request_t *request)
{
    return request->peer_ip;
}

bool weir_request_wants_upgrade(const weir_request_t *request)
{
    return around(request)->wants_upgrade;
}

bool weir_request_has_body(const weir_request_t *request)
{
    return request->framing.kind != WEIR_FRAMING_NONE;
}

bool weir_request_may_explain(const weir_request_t *request)
{
    const weir_plan_t *plan = around(request)->plan;
    char text[WEIR_NETWORK_TEXT];
    weir_network_t client;

    if (plan == NULL || plan->explain_trusted_count == 0 || request->peer_ip.len >= sizeof(text))
        return false;
    memcpy(text, request->peer_ip.base, request->peer_ip.len);
    text[request->peer_ip.len] = '\0';
    return weir_network_read(text, &client) &&
           weir_networks_hold_one(plan->explain_trusted, plan->explain_trusted_count, &client);
}

uint16_t weir_request_peer_port(const weir_request_t *request)
{
    return request->peer_port;
}

uint16_t weir_request_listen_port(const weir_request_t *request)
{
    return request->listen_port;
}

uint64_t weir_now_ms(const weir_request_t *request)
{
    return weir_loop_now_us(around(request)->loop) / 1000;
}

uint64_t weir_wall_ms(const weir_request_t *request)
{
    return weir_loop_wall_us(around(request)->loop) / 1000;
}

uint64_t weir_now_us(const weir_request_t *request)
{
    return weir_loop_now_us(around(request)->loop);
}

/* Whoever asks has the exchange; that others see it const is for them. */
static weir_exchange_t *changeable(const weir_request_t *request)
{
    return WEIR_AROUND(request, weir_exchange_t, request);
}

/*
 * SplitMix64 (Steele, Lea and Flood, 2014): each request has a stream of its own, of which one seed is all there is to record.
 */
uint64_t weir_random(const weir_request_t *request)
{
    weir_exchange_t *x = changeable(request);
    uint64_t z;

    if (!x->has_dice) {
        weir_loop_random(x->loop, (uint8_t *)&x->dice, sizeof(x->dice));
        x->has_dice = true;
    }
    x->dice += 0x9e3779b97f4a7c15;
    z = x->dice;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t weir_request_hash(const weir_request_t *request, uint64_t seed)
{
    const uint64_t key[2] = {seed, 0x77656972};

    return weir_siphash(key, request->id);
}

weir_shared_t *weir_request_shared(const weir_request_t *request)
{
    return around(request)->binding->shared;
}

weir_group_t *weir_request_group(const weir_request_t *request)
{
    return around(request)->group;
}

weir_span_t weir_request_app(const weir_request_t *request)
{
    return around(request)->app;
}

uint16_t weir_request_backend_status(const weir_request_t *request)
{
    return around(request)->journal.backend_status;
}

weir_span_t weir_request_cookie(const weir_request_t *request, weir_span_t name)
{
    const weir_headers_t *headers = &request->headers;
    weir_span_t value = {NULL, 0};

    for (size_t i = 0; i < headers->count && value.base == NULL; i++) {
        if (weir_equal_nocase(headers->at[i].name, WEIR_SPAN("cookie")))
            value = weir_span_cookie(headers->at[i].value, name);
    }
    return value;
}

const weir_request_t *weir_exchange_request(const weir_exchange_t *x)
{
    return &x->request;
}

weir_exchange_t *weir_request_exchange(const weir_request_t *request)
{
    return WEIR_AROUND(request, weir_exchange_t, request);
}

void weir_request_header_put(weir_exchange_t *x, weir_span_t name, weir_span_t value)
{
    if (!weir_is_token(name) || !weir_is_one_line(value))
        return;
    weir_headers_put(&x->request.headers, &x->arena, weir_arena_copy(&x->arena, name), weir_arena_copy(&x->arena, value));
}

void weir_request_header_remove(weir_exchange_t *x, weir_span_t name)
{
    weir_headers_remove_name(&x->request.headers, name);
}
