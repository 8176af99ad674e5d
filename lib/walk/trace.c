/* SPDX-License-Identifier: MIT */
#include "handlers/trace.h"

#include "lib/base/span.h"
#include "lib/http/trace_context.h"

struct trace {
    weir_trace_context_t context;
    char parent[WEIR_TRACEPARENT_BYTES];
    bool is_continued; /* it is the client's */
};

/* By the headers as stages have left them. */
static const struct trace *trace_of(weir_exchange_t *x)
{
    uint8_t dice[WEIR_TRACE_ID_DICE + WEIR_SPAN_ID_DICE];
    struct trace *trace;

    if (x->trace != NULL)
        return x->trace;
    x->trace = trace = weir_arena_zalloc(&x->arena, sizeof(*trace));
    weir_loop_random(x->loop, dice, sizeof(dice));
    trace->is_continued = weir_trace_context_find(&x->request.headers, &trace->context);
    if (!trace->is_continued)
        weir_trace_context_make(dice, &trace->context);
    weir_traceparent_write(&trace->context, dice + WEIR_TRACE_ID_DICE, trace->parent);
    return trace;
}

weir_span_t weir_trace_id(weir_exchange_t *x)
{
    return (weir_span_t){trace_of(x)->context.trace_id, WEIR_TRACE_ID_BYTES};
}

void weir_trace_put(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    const struct trace *trace = trace_of(x);

    weir_headers_put(headers, arena, WEIR_SPAN("traceparent"), (weir_span_t){trace->parent, sizeof(trace->parent)});
    if (!trace->is_continued)
        weir_headers_remove_name(headers, WEIR_SPAN("tracestate"));
}
