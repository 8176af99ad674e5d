/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_CGI_HEAD_H
#define WEIR_HTTP_CGI_HEAD_H
/**
 * @file  The reader of the head of a CGI response (RFC 3875 §6): fields and an empty line, with a field Status in place of a
 * status line. Pure.
 */
#include "lib/http/response_head.h"

/** Where a reader stands. Zeroed before the first byte of a head. */
typedef struct weir_cgi_head_reader {
    size_t scanned_bytes; /* hold no end of the head */
} weir_cgi_head_reader_t;

/**
 * Like weir_response_head_read(), with the limits of `limits`, of which that for status lines is one for the value of Status.
 * Lines end with LF or CRLF. The status is what Status says (three digits from 200 on, then nothing or a space and a reason),
 * else 302 if there is a Location, else 200; Status is no field of the response. Faults: backend_invalid_header (a line without
 * a name and a colon, an obs-fold, a control character; so begins what a script writes that makes its own status line),
 * backend_invalid_status (another Status, or two), backend_invalid_transfer_encoding (any: FastCGI frames the body),
 * and those of lengths.
 */
weir_head_progress_t weir_cgi_head_read(weir_cgi_head_reader_t *reader, weir_span_t bytes, const weir_response_limits_t *limits,
                                        weir_header_t *headers, weir_response_head_t *out_head, size_t *out_consumed_bytes,
                                        const weir_fault_t **out_fault);

#endif
