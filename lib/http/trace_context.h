/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_TRACE_CONTEXT_H
#define WEIR_HTTP_TRACE_CONTEXT_H
/**
 * @file  W3C Trace Context, level 1 (www.w3.org/TR/trace-context-1): the header traceparent. Pure: randomness is given.
 *
 *   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01       version, trace id, span id of the caller, flags
 */
#include "lib/http/headers.h"

enum {
    WEIR_TRACE_ID_BYTES = 32,
    WEIR_SPAN_ID_BYTES = 16,
    WEIR_TRACEPARENT_BYTES = 55,
    WEIR_TRACE_ID_DICE = 16,
    WEIR_SPAN_ID_DICE = 8,
};

/** All of the traces that begin here: what a share is a part of. */
#define WEIR_TRACE_SHARE_ALL (UINT64_C(1) << 56)

/** What of a traceparent goes on from hop to hop, in lower-case hexadecimal digits; no NUL. */
typedef struct weir_trace_context {
    char trace_id[WEIR_TRACE_ID_BYTES];
    char flags[2];                      /* the last bit: the caller has recorded it (sampled) */
    char parent_id[WEIR_SPAN_ID_BYTES]; /* the caller's span; not set where the trace begins here */
} weir_trace_context_t;

/**
 * Reads the value of one. False, and *out is not written, if it is invalid (§3.2.2): version ff, an id of zeros only, a digit
 * in upper case, another length. Of versions later than 00, which may be longer, only the bit `sampled` of the flags is known.
 */
bool weir_traceparent_read(weir_span_t value, weir_trace_context_t *out);

/** The same for the traceparent of a message. False also if it has none, or more than one. */
bool weir_trace_context_find(const weir_headers_t *headers, weir_trace_context_t *out);

/**
 * Begins a trace: a trace id of random bytes, the flags 01 (sampled) for `share` in WEIR_TRACE_SHARE_ALL of them, else 00.
 * Which ones, the id alone says, by its last seven bytes, as OpenTelemetry's consistent sampling has it: proxies of equal
 * shares decide alike, and what a smaller share takes a larger one takes, too.
 */
void weir_trace_context_make(const uint8_t dice[static WEIR_TRACE_ID_DICE], uint64_t share, weir_trace_context_t *out);

/** Whether the flags say that it is recorded. */
bool weir_trace_context_is_sampled(const weir_trace_context_t *context);

/** Writes the id of a span, from random bytes. */
void weir_span_id_make(const uint8_t dice[static WEIR_SPAN_ID_DICE], char out[static WEIR_SPAN_ID_BYTES]);

/** Writes a traceparent of version 00 that names this span. */
void weir_traceparent_write(const weir_trace_context_t *context, const char span_id[static WEIR_SPAN_ID_BYTES],
                            char out[static WEIR_TRACEPARENT_BYTES]);

#endif
