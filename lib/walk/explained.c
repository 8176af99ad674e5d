/* SPDX-License-Identifier: MIT */
#include "lib/walk/explained.h"

#include <string.h>

#include "lib/base/span.h"
#include "lib/http/expect.h"
#include "lib/http/host.h"

enum { HTTP_1_1 = 11 };

static weir_span_t lower_copy(weir_arena_t *arena, weir_span_t text)
{
    char *copy = weir_arena_alloc(arena, text.len + 1);

    weir_lower_bytes(copy, text.base, text.len);
    copy[text.len] = '\0';
    return (weir_span_t){copy, text.len};
}

static void fill_headers(weir_exchange_t *x, const weir_explained_t *asked)
{
    weir_headers_t *headers = &x->request.headers;

    weir_headers_add(headers, &x->arena, WEIR_SPAN("host"), x->request.authority);
    for (size_t i = 0; i < asked->headers->count; i++)
        weir_headers_add(headers, &x->arena, weir_arena_copy(&x->arena, asked->headers->at[i].name),
                         weir_arena_copy(&x->arena, asked->headers->at[i].value));
    if (weir_upgrade_read(headers, &x->wants_upgrade) != NULL)
        x->wants_upgrade = false;
}

static void fill_request(weir_exchange_t *x, const weir_explained_t *asked)
{
    weir_request_t *request = &x->request;
    const size_t mount = x->plan->mount.len == 1 ? 1 : x->plan->mount.len;
    weir_span_t host = {0};

    request->method = weir_arena_copy(&x->arena, asked->method);
    request->target = weir_arena_copy(&x->arena, asked->target);
    const size_t below = mount < request->target.len ? mount : request->target.len;
    request->below = (weir_span_t){request->target.base + below, request->target.len - below};
    request->authority = weir_arena_copy(&x->arena, asked->authority);
    request->host_port = -1;
    if (weir_host_split(request->authority, &host, &request->host_port))
        request->host = lower_copy(&x->arena, host);
    request->asked.target = request->target;
    request->asked.authority = request->authority;
    request->asked.host = request->host;
    request->scheme = weir_arena_copy(&x->arena, asked->scheme);
    request->listen_port = weir_span_equal(asked->scheme, WEIR_SPAN("https")) ? 443 : 80;
    request->peer_ip = weir_arena_copy(&x->arena, asked->peer_ip);
    request->version = HTTP_1_1;
    request->is_head = weir_span_equal(request->method, WEIR_SPAN("HEAD"));
    fill_headers(x, asked);
    request->id = weir_request_header(request, WEIR_SPAN("x-request-id"));
    if (request->id.len == 0)
        request->id = WEIR_SPAN("(made when it comes)");
}

weir_exchange_t *weir_explained_create(const weir_plan_t *plan, weir_loop_t *loop, const weir_explained_t *asked)
{
    weir_arena_t arena;
    weir_exchange_t *x;

    weir_arena_init(&arena);
    x = weir_arena_zalloc(&arena, sizeof(*x));
    x->arena = arena;
    x->plan = plan;
    x->binding = &plan->binding;
    x->loop = loop;
    x->is_explained = true;
    x->dice = asked->seed;
    x->has_dice = true;
    x->journal.start_at_us = weir_loop_now_us(loop);
    x->journal.wall_start_us = weir_loop_wall_us(loop);
    fill_request(x, asked);
    return x;
}

void weir_explained_free(weir_exchange_t *x)
{
    weir_arena_t arena;

    if (x == NULL)
        return;
    arena = x->arena;
    weir_arena_finish(&arena);
}
