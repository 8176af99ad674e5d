/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_FRAMING_H
#define WEIR_HTTP_FRAMING_H
/**
 * @file  How long a message body is (RFC 9112 §6). Pure decisions; two possible readings are always a fault.
 */
#include "lib/base/fault.h"
#include "lib/http/headers.h"

typedef enum weir_framing_kind {
    WEIR_FRAMING_NONE,        /* no body                                    */
    WEIR_FRAMING_LENGTH,      /* length_bytes of it, more than 0            */
    WEIR_FRAMING_CHUNKED,     /* chunked                                    */
    WEIR_FRAMING_UNTIL_CLOSE, /* responses only: the connection's end is its end */
} weir_framing_kind_t;

typedef struct weir_framing {
    weir_framing_kind_t kind;
    uint64_t length_bytes; /* of WEIR_FRAMING_LENGTH, else 0 */
} weir_framing_t;

/**
 * Of a request. Faults: bad_content_length (not digits, a list, two different ones, more than 2^63-1; equal repetitions
 * are one), conflicting_framing (Content-Length beside Transfer-Encoding), invalid_transfer_encoding (malformed,
 * more than one field, `identity`, the last one not chunked, chunked twice, or any in HTTP/1.0), unsupported_transfer_coding
 * (a well-formed coding before chunked).
 */
WEIR_CHECKED const weir_fault_t *weir_framing_of_request(const weir_headers_t *headers, uint8_t minor, weir_framing_t *out);

/**
 * Of a final response with this status to a request that was HEAD or not. HEAD, 1xx, 204 and 304 have no body
 * whatever the headers say. Transfer-Encoding wins over Content-Length (RFC 9112 §6.3; the caller drops
 * the latter), equal Content-Lengths are one. Faults: backend_content_length, backend_invalid_transfer_encoding.
 * *out_content_length is the number that Content-Length names (for HEAD and 304 responses), or UINT64_MAX.
 */
WEIR_CHECKED const weir_fault_t *weir_framing_of_response(const weir_headers_t *headers, uint16_t status, bool is_head,
                                                          weir_framing_t *out, uint64_t *out_content_length);

#endif
