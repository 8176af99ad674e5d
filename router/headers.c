/* SPDX-License-Identifier: MIT */
/* Which headers a router may set, and where those of additional_headers go. */
#include "lib/http/token_list.h"
#include "router/question.h"

struct weir_header_sink {
    weir_headers_t *headers;
    weir_arena_t *arena;
};

static bool is_one_line(weir_span_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.base[i] == '\r' || value.base[i] == '\n' || value.base[i] == '\0')
            return false;
    }
    return true;
}

/* Framing and connection are the proxy's own; a wrong word there lets one message pass for two. */
static bool is_ours(weir_header_id_t id)
{
    return id == WEIR_HEADER_CONNECTION || id == WEIR_HEADER_CONTENT_LENGTH || id == WEIR_HEADER_TRANSFER_ENCODING ||
           id == WEIR_HEADER_KEEP_ALIVE || id == WEIR_HEADER_PROXY_CONNECTION || id == WEIR_HEADER_TE ||
           id == WEIR_HEADER_TRAILER || id == WEIR_HEADER_UPGRADE || id == WEIR_HEADER_EXPECT;
}

bool ask_may_set_header(weir_span_t name, weir_span_t value)
{
    return weir_is_token(name) && is_one_line(value) && !is_ours(weir_header_id(name));
}

void weir_header_put(weir_header_sink_t *sink, weir_span_t name, weir_span_t value)
{
    if (!ask_may_set_header(name, value))
        return;
    weir_headers_put(sink->headers, sink->arena, weir_arena_copy(sink->arena, name), weir_arena_copy(sink->arena, value));
}

void ask_headers(weir_exchange_t *x, weir_way_t way, weir_headers_t *headers)
{
    weir_header_sink_t sink = {headers, &x->arena};

    if (x->plan->router->additional_headers != NULL)
        x->plan->router->additional_headers(x->state, &x->request, way, &sink);
}
