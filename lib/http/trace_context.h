/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_TRACE_CONTEXT_H
#define WEIR_HTTP_TRACE_CONTEXT_H
/**
 * @file  W3C Trace Context, level 1 (www.w3.org/TR/trace-context-1): the header traceparent. Pure: randomness is given.
 *
 *   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01       version, trace id, span id of the caller, flags
 */
#include "lib/http/headers.h"

enum { WEIR_TRACE_ID_BYTES = 32, WEIR_TRACEPARENT_BYTES = 55, WEIR_TRACE_ID_DICE = 16, WEIR_SPAN_ID_DICE = 8 };

/** What of a traceparent goes on from hop to hop, in lower-case hexadecimal digits; no NUL. */
typedef struct weir_trace_context {
    char trace_id[WEIR_TRACE_ID_BYTES];
    char flags[2]; /* the last bit: the caller has recorded it (sampled) */
} weir_trace_context_t;

/**
 * Reads the value of one. False, and *out is not written, if it is invalid (§3.2.2): version ff, an id of zeros only, a digit
 * in upper case, another length. Of versions later than 00, which may be longer, only the bit `sampled` of the flags is known.
 */
bool weir_traceparent_read(weir_span_t value, weir_trace_context_t *out);

/** The same for the traceparent of a message. False also if it has none, or more than one. */
bool weir_trace_context_find(const weir_headers_t *headers, weir_trace_context_t *out);

/** Begins a trace that nobody records: a trace id of random bytes, the flags 00. */
void weir_trace_context_make(const uint8_t dice[static WEIR_TRACE_ID_DICE], weir_trace_context_t *out);

/** Writes a traceparent of version 00 with a span id of random bytes. */
void weir_traceparent_write(const weir_trace_context_t *context, const uint8_t dice[static WEIR_SPAN_ID_DICE],
                            char out[static WEIR_TRACEPARENT_BYTES]);

#endif
