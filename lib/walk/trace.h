/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_TRACE_H
#define WEIR_WALK_TRACE_H
/**
 * @file  A request's trace (W3C Trace Context): the client's, or one that begins here. For plans with `has_trace`.
 *
 * It is made when it is first asked for, and then stays. The proxy is one span of it, however many backends are tried; where
 * the trace is sampled and the plan has `exports_traces`, each attempt is another one below that, and all of them are put into
 * the queue of trace_queue.h when they end.
 *
 * OWNER    The exchange, in whose arena it lies.
 * THREAD   The exchange's loop.
 */
#include "lib/http/trace_context.h"
#include "lib/walk/exchange.h"

struct trace {
    weir_trace_context_t context;
    char span_id[WEIR_SPAN_ID_BYTES];    /* ours */
    char attempt_id[WEIR_SPAN_ID_BYTES]; /* the latest attempt's, with has_attempt_id */
    char parent[WEIR_TRACEPARENT_BYTES]; /* the traceparent that names ours            */
    bool has_attempt_id;
    bool is_continued; /* it is the client's */
    bool is_recorded;  /* its spans are exported */
};

/** Its trace id: 32 hexadecimal digits in lower case, in the exchange's arena. */
weir_span_t weir_trace_id(weir_exchange_t *x);

/**
 * Makes `headers`, those for a backend, carry it: traceparent names our span, or the attempt's if that is recorded, and
 * tracestate, which is about the client's, goes unless the client's traceparent is valid. What is added lies in the exchange's
 * arena, or in `arena`, where the list grows.
 */
void weir_trace_put(weir_exchange_t *x, weir_arena_t *arena, weir_headers_t *headers);

/** The attempt with the service that is being checked in is over; fault NULL: well. With plan->exports_traces. */
void weir_trace_end_attempt(weir_exchange_t *x, const weir_fault_t *fault);

/** The request is over: its journal has an end. Once, with plan->exports_traces. */
void weir_trace_end_request(weir_exchange_t *x);

/** All of it. */
struct trace *weir_trace_of(weir_exchange_t *x);

/** trace.c's, for trace_spans.c: the id of the attempt that is under way. */
const char *weir_trace_attempt_id(weir_exchange_t *x);

#endif
