/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_REQUEST_HEAD_H
#define WEIR_HTTP_REQUEST_HEAD_H
/**
 * @file  The strict reader of HTTP/1.0 and 1.1 request heads (RFC 9112 §2, §3, §5).
 *
 * Pure: no I/O, no clock, no allocation. The reader may be fed a growing buffer any number of times and does not look
 * again at the lines it has already seen; every limit is enforced as soon as the bytes that break it have arrived, also
 * when the head is not complete. Refused: bare LF and bare CR, NUL and other controls, obs-fold, whitespace
 * before the colon, names and methods that are no tokens, CONNECT, versions other than 1.0 and 1.1, targets that
 * are neither origin-form, absolute-form nor `*` (the last with OPTIONS only), Host other than exactly one for 1.1.
 */
#include "lib/base/fault.h"
#include "lib/http/framing.h"
#include "lib/http/headers.h"

/** Bytes exclude CRLF. A line of exactly the limit passes. */
typedef struct weir_head_limits {
    size_t line_bytes;  /* method through version; 414 request_line_too_long beyond */
    size_t name_bytes;  /* 431 header_name_too_long                                */
    size_t value_bytes; /* without surrounding whitespace; 431 header_value_too_long */
    size_t count;       /* of header lines; 431 too_many_headers                   */
    size_t total_bytes; /* of the whole head, empty lines before it included; 431 head_too_large */
} weir_head_limits_t;

/** What an absolute target leaves unsaid of the path; whoever copies the head puts it there. */
typedef enum weir_path_lacks {
    WEIR_PATH_LACKS_NOTHING,
    WEIR_PATH_LACKS_SLASH,    /* http://host?query: path is ?query (RFC 9112 §3.2.2)      */
    WEIR_PATH_LACKS_ASTERISK, /* OPTIONS http://host: path is nothing (RFC 9112 §3.2.4) */
} weir_path_lacks_t;

/** A complete head. Every span points into the buffer that was read. */
typedef struct weir_request_head {
    weir_span_t method;
    weir_span_t target; /* as sent */
    weir_span_t path;   /* path and query as forwarded: absolute-form reduced, fragment and a lone trailing '?' dropped; "*" */
    weir_span_t authority; /* as sent: an absolute target's, which the Host field then has, too (RFC 9112 §3.2.2); else the Host
                              value; base NULL if nothing names one (HTTP/1.0) */
    weir_path_lacks_t path_lacks;
    uint8_t minor;      /* 0 or 1 */
    bool is_persistent; /* what version and Connection ask for, close winning (RFC 9112 §9.3) */
    bool has_expect;    /* an Expect header is there: the body may be waiting for a 100 */
    weir_framing_t framing;
    weir_headers_t headers; /* in the caller's array; ids are set */
} weir_request_head_t;

/** Where a reader stands. Zeroed before the first byte of each head. */
typedef struct weir_request_reader {
    size_t scanned_bytes;  /* up to the start of the first line not yet complete */
    size_t lines;          /* complete header lines seen, the request line included */
    size_t empty_lines;    /* before the request line */
    bool has_request_line; /* the request line is complete: a timeout is a 408, not a silent close */
} weir_request_reader_t;

typedef enum weir_head_progress { WEIR_HEAD_PARTIAL, WEIR_HEAD_COMPLETE, WEIR_HEAD_FAULTY } weir_head_progress_t;

/**
 * Reads what has arrived so far: `bytes` always starts at the head's first byte and may move between calls.
 * `headers` is an array of limits->count entries that head->headers will use; nothing is allocated.
 * COMPLETE: *out_head is set, *out_consumed_bytes is the length of the head with its empty line.
 * FAULTY: *out_fault says why. At most 5 empty lines are skipped before the request line (RFC 9112 §2.2).
 */
weir_head_progress_t weir_request_head_read(weir_request_reader_t *reader, weir_span_t bytes, const weir_head_limits_t *limits,
                                            weir_header_t *headers, weir_request_head_t *out_head, size_t *out_consumed_bytes,
                                            const weir_fault_t **out_fault);

#endif
