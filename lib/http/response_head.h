/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_RESPONSE_HEAD_H
#define WEIR_HTTP_RESPONSE_HEAD_H
/**
 * @file  The strict reader of a backend's HTTP/1 response head. Pure, incremental, like request_head.h.
 */
#include "lib/http/request_head.h"

typedef struct weir_response_limits {
    size_t status_line_bytes; /* without CRLF; backend_status_length beyond                 */
    size_t header_bytes;      /* one line without CRLF; backend_header_length beyond         */
    size_t cookie_bytes;      /* one Set-Cookie line (name, colon, value); backend_cookie_length beyond */
    size_t count;             /* of header lines; backend_header_length beyond               */
    size_t total_bytes;       /* the whole head; backend_header_length beyond                */
} weir_response_limits_t;

typedef struct weir_response_head {
    uint16_t status;    /* 100 … 999 */
    weir_span_t reason; /* as sent, may be empty */
    uint8_t minor;
    bool is_persistent; /* what version and Connection say: may the connection be used again? */
    bool is_end;        /* HTTP/2: the stream ends with it; false on HTTP/1, whose framing says it */
    weir_headers_t headers;
} weir_response_head_t;

/** Where a reader stands. Zeroed before the first byte of each head. */
typedef struct weir_response_reader {
    size_t scanned_bytes;
    size_t lines;
} weir_response_reader_t;

/**
 * Like weir_request_head_read(). The status line is `HTTP/1.0 ` or `HTTP/1.1 `, three digits (100 … 999), then nothing or a
 * space and a reason; else backend_invalid_status. CRLF only; a line without colon, an obs-fold, a bare CR, LF or NUL is
 * backend_invalid_header. Whitespace around values is dropped. As soon as the first bytes cannot be the beginning
 * of a status line the answer is FAULTY, also when no CRLF has come.
 */
weir_head_progress_t weir_response_head_read(weir_response_reader_t *reader, weir_span_t bytes,
                                             const weir_response_limits_t *limits, weir_header_t *headers,
                                             weir_response_head_t *out_head, size_t *out_consumed_bytes,
                                             const weir_fault_t **out_fault);

#endif
