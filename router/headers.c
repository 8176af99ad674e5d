/* SPDX-License-Identifier: MIT */
/* Where the headers of additional_headers go. */
#include "lib/http/hop.h"
#include "router/call.h"
#include "router/question.h"

struct weir_header_sink {
    weir_headers_t *headers;
    weir_arena_t *arena;
};

void weir_header_put(weir_header_sink_t *sink, weir_span_t name, weir_span_t value)
{
    if (!weir_hop_may_set(name, value))
        return;
    weir_headers_put(sink->headers, sink->arena, weir_arena_copy(sink->arena, name), weir_arena_copy(sink->arena, value));
}

void weir_header_add(weir_header_sink_t *sink, weir_span_t name, weir_span_t value)
{
    /* RFC 9112 §3.2: whoever reads two of them may believe the wrong one */
    if (!weir_hop_may_set(name, value) || weir_header_id(name) == WEIR_HEADER_HOST)
        return;
    weir_headers_add(sink->headers, sink->arena, weir_arena_copy(sink->arena, name), weir_arena_copy(sink->arena, value));
}

void weir_header_unset(weir_header_sink_t *sink, weir_span_t name)
{
    if (weir_hop_may_set(name, WEIR_SPAN("")))
        weir_headers_remove_name(sink->headers, name);
}

weir_span_t weir_header_get(const weir_header_sink_t *sink, weir_span_t name)
{
    const weir_header_t *field = weir_headers_find_name(sink->headers, name);

    return field != NULL ? field->value : (weir_span_t){NULL, 0};
}

bool weir_header_is_settable(weir_span_t name, weir_span_t value)
{
    return weir_hop_may_set(name, value);
}

void ask_headers(weir_exchange_t *x, weir_way_t way, weir_headers_t *headers)
{
    const weir_router_t *router = x->binding->router;
    weir_header_sink_t sink = {headers, &x->arena};
    weir_before_t before;

    if (router->additional_headers == NULL)
        return;
    before = router_call_begin(x, "additional_headers");
    router->additional_headers(x->state, &x->request, way, &sink);
    router_call_end(x, before, WEIR_TIMES_on_headers);
}
