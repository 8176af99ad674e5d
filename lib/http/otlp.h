/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_OTLP_H
#define WEIR_HTTP_OTLP_H
/**
 * @file  Spans of a trace as OpenTelemetry's collectors read them: OTLP 1.x in JSON. Pure.
 *
 *   weir_otlp_begin() ─► _text(), _number(), _yes() … ─► _event() … ─► _fail() ─► weir_otlp_end()
 *
 *   {"traceId":"…","spanId":"…","kind":2,…,"attributes":[…],"events":[…],"status":{"code":2,"message":"…"}}
 *
 * Texts are made UTF-8: a byte that is none becomes U+FFFD. Identifiers are hexadecimal, instants nanoseconds since 1970 as
 * texts, as the JSON of OTLP wants both. How long each text may be is said with it, so that a span's bytes are bounded.
 */
#include <stdio.h>

#include "weir_types.h"

enum {
    WEIR_OTLP_SPAN_BYTES = 12288, /* enough for a span whose texts are of 8 KiB, as written, together */
    WEIR_OTLP_STATE_BYTES = 512,  /* W3C Trace Context §3.3.1.5: a tracestate as long as that is to be passed on */
};

typedef enum weir_otlp_kind { WEIR_OTLP_SERVER = 2, WEIR_OTLP_CLIENT = 3 } weir_otlp_kind_t;

/** What every span has. */
typedef struct weir_otlp_head {
    const char *trace_id, *span_id, *parent_id; /* 32, 16 and 16 digits; parent_id NULL: it has none */
    bool has_remote_parent;                     /* the parent is of another process */
    weir_span_t trace_state;                    /* left out if it is empty, or longer than WEIR_OTLP_STATE_BYTES */
    weir_span_t name;
    weir_otlp_kind_t kind;
    uint64_t start_wall_us, end_wall_us;
} weir_otlp_head_t;

typedef enum weir_otlp_part {
    WEIR_OTLP_NO_PART,
    WEIR_OTLP_ATTRIBUTES,
    WEIR_OTLP_EVENTS,
} weir_otlp_part_t;

/** A span that is being written. */
typedef struct weir_otlp {
    char *begin, *at, *end;
    weir_otlp_part_t part;
    bool is_full; /* something did not fit */
} weir_otlp_t;

/** Begins one in `buffer`, which is borrowed until weir_otlp_end(). */
void weir_otlp_begin(weir_otlp_t *text, char *buffer, size_t bytes, const weir_otlp_head_t *head);

/** An attribute, of which at most `most_bytes` are written. Its key is ASCII without quotes. */
void weir_otlp_text(weir_otlp_t *text, const char *key, weir_span_t value, size_t most_bytes);
void weir_otlp_number(weir_otlp_t *text, const char *key, uint64_t number);
/** One that is true. */
void weir_otlp_yes(weir_otlp_t *text, const char *key);

/** Something that happened meanwhile. No attribute may follow. */
void weir_otlp_event(weir_otlp_t *text, const char *name, uint64_t wall_us);

/** It has failed. The last word but the end. */
void weir_otlp_fail(weir_otlp_t *text, const char *message);

/** Ends it. All of it, inside the buffer; base NULL if it did not fit. */
weir_span_t weir_otlp_end(weir_otlp_t *text);

/** What stands around the spans of one message, which have a comma between them. `service` is service.name. */
void weir_otlp_write_front(FILE *out, const char *service, const char *version);
void weir_otlp_write_rest(FILE *out);

/**
 * How many spans an answer says were refused though it is a 200 (partialSuccess.rejectedSpans); 0: none, or nothing can be
 * read.
 */
uint64_t weir_otlp_rejected(weir_span_t answer);

#endif
