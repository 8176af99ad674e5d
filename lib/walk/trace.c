/* SPDX-License-Identifier: MIT */
#include "lib/walk/trace.h"

#include "lib/base/span.h"

/* By the headers as stages have left them. */
struct trace *weir_trace_of(weir_exchange_t *x)
{
    uint8_t dice[WEIR_TRACE_ID_DICE + WEIR_SPAN_ID_DICE];
    struct trace *trace;

    if (x->trace != NULL)
        return x->trace;
    x->trace = trace = weir_arena_zalloc(&x->arena, sizeof(*trace));
    weir_loop_random(x->loop, dice, sizeof(dice));
    trace->is_continued = weir_trace_context_find(&x->request.headers, &trace->context);
    if (!trace->is_continued)
        weir_trace_context_make(dice, x->plan->trace_share, &trace->context);
    trace->is_recorded = x->plan->exports_traces && weir_trace_context_is_sampled(&trace->context);
    weir_span_id_make(dice + WEIR_TRACE_ID_DICE, trace->span_id);
    weir_traceparent_write(&trace->context, trace->span_id, trace->parent);
    return trace;
}

const char *weir_trace_attempt_id(weir_exchange_t *x)
{
    struct trace *trace = weir_trace_of(x);
    uint8_t dice[WEIR_SPAN_ID_DICE];

    if (!trace->has_attempt_id) {
        weir_loop_random(x->loop, dice, sizeof(dice));
        weir_span_id_make(dice, trace->attempt_id);
        trace->has_attempt_id = true;
    }
    return trace->attempt_id;
}

weir_span_t weir_trace_id(weir_exchange_t *x)
{
    return (weir_span_t){weir_trace_of(x)->context.trace_id, WEIR_TRACE_ID_BYTES};
}

/* So that what the backend does is below the attempt that asked for it. */
static weir_span_t attempt_parent(weir_exchange_t *x, weir_arena_t *arena)
{
    char *parent = weir_arena_alloc(arena, WEIR_TRACEPARENT_BYTES);

    weir_traceparent_write(&weir_trace_of(x)->context, weir_trace_attempt_id(x), parent);
    return (weir_span_t){parent, WEIR_TRACEPARENT_BYTES};
}

void weir_trace_put(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers)
{
    const struct trace *trace = weir_trace_of(x);
    weir_span_t parent = {trace->parent, sizeof(trace->parent)};

    if (trace->is_recorded)
        parent = attempt_parent(x, arena);
    weir_headers_put(headers, arena, WEIR_SPAN("traceparent"), parent);
    if (!trace->is_continued)
        weir_headers_remove_name(headers, WEIR_SPAN("tracestate"));
}
