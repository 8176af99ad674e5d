/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_HTTP2_HEAD_H
#define WEIR_HTTP_HTTP2_HEAD_H
/**
 * @file  A request's fields as HTTP/2 brings them, one by one, made into what an HTTP/1.1 head would have said (RFC 9113 §8.2,
 * §8.3).
 *
 * Pure: no I/O, no clock; everything kept is a copy in the arena it is given. Whoever decodes HPACK has already refused
 * pseudo-fields that are unknown, missing, double or late, names that are not lower case, and fields of the connection.
 */
#include "lib/http/framing.h"
#include "lib/http/request_head.h"

/** Zeroed before the first field. */
typedef struct weir_http2_head {
    weir_span_t method, scheme, path, authority;
    weir_span_t protocol;      /* of an extended CONNECT (RFC 8441); else empty          */
    weir_headers_t headers;    /* in the order received; Host first                      */
    size_t count;              /* of fields, also of those not kept                      */
    size_t total_bytes;        /* as an HTTP/1.1 head would have, also of what isn't kept */
    const weir_fault_t *fault; /* the first thing wrong; what comes behind it isn't kept */
} weir_http2_head_t;

/** Takes the next field, or pseudo-field. Faults are noted: bad_header, and the limits' (see weir_head_limits_t). */
void weir_http2_head_add(weir_http2_head_t *head, weir_arena_t *arena, const weir_head_limits_t *limits, weir_span_t name,
                         weir_span_t value);

/**
 * When all fields are there: the path as it is forwarded, cookie crumbs joined, Host made of :authority, the body's framing
 * (chunked if its length is not told). An extended CONNECT becomes the GET with Connection and Upgrade that it stands for.
 * Faults: those noted; connect_refused, unsupported_protocol, request_line_too_long, bad_target, duplicate_host, missing_host,
 * bad_host (also a Host that contradicts :authority), those of weir_framing_of_request().
 */
WEIR_CHECKED const weir_fault_t *weir_http2_head_finish(weir_http2_head_t *head, weir_arena_t *arena,
                                                        const weir_head_limits_t *limits, bool has_body,
                                                        weir_framing_t *out_framing);

#endif
