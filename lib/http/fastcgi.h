/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_FASTCGI_H
#define WEIR_HTTP_FASTCGI_H
/**
 * @file  Records of FastCGI 1.0, as a web server writes and reads them: one request at a time on a connection, whose number is
 * 1, for a responder. Pure.
 *
 *   towards the application:  BEGIN_REQUEST, PARAMS …, PARAMS (empty), STDIN …, STDIN (empty)
 *   and back:                 STDOUT …, STDERR …, END_REQUEST
 */
#include "lib/base/arena.h"
#include "lib/base/fault.h"

enum {
    WEIR_FASTCGI_HEAD_BYTES = 8,
    WEIR_FASTCGI_BEGIN_BYTES = 16,     /* a whole BEGIN_REQUEST                           */
    WEIR_FASTCGI_CONTENT_MOST = 65528, /* of one record of ours; a multiple of 8, as is advised */
    WEIR_FASTCGI_END_BYTES = 8,        /* the content of an END_REQUEST                   */
};

typedef enum weir_fastcgi_type {
    WEIR_FASTCGI_BEGIN_REQUEST = 1,
    WEIR_FASTCGI_END_REQUEST = 3,
    WEIR_FASTCGI_PARAMS = 4,
    WEIR_FASTCGI_STDIN = 5,
    WEIR_FASTCGI_STDOUT = 6,
    WEIR_FASTCGI_STDERR = 7,
} weir_fastcgi_type_t;

/* ---- writing ---- */

/** Writes the head of a record with `content_bytes` (at most WEIR_FASTCGI_CONTENT_MOST) behind it, and no padding. */
void weir_fastcgi_write_head(char out[static WEIR_FASTCGI_HEAD_BYTES], weir_fastcgi_type_t type, size_t content_bytes);

/** Writes a whole BEGIN_REQUEST: for a responder, which is to keep the connection behind its answer, or to close it. */
void weir_fastcgi_write_begin(char out[static WEIR_FASTCGI_BEGIN_BYTES], bool keeps_connection);

/** Most bytes of weir_fastcgi_write_pair(). */
static inline size_t weir_fastcgi_pair_bytes(size_t name_bytes, size_t value_bytes)
{
    return name_bytes + value_bytes + 8;
}

/** Writes one parameter as PARAMS carries it, at `at`; returns the end. Name and value are shorter than 2^31 bytes. */
char *weir_fastcgi_write_pair(char *at, weir_span_t name, weir_span_t value);

/* ---- reading ---- */

/** Zeroed before the first byte of a response. */
typedef struct weir_fastcgi_reader {
    uint8_t head[WEIR_FASTCGI_HEAD_BYTES];
    uint8_t end[WEIR_FASTCGI_END_BYTES]; /* of an END_REQUEST */
    uint8_t head_count, end_count;
    uint32_t content_left_bytes, padding_left_bytes; /* of the record that is being read */
    uint32_t exit_status;                            /* behind WEIR_FASTCGI_END          */
} weir_fastcgi_reader_t;

typedef enum weir_fastcgi_event {
    WEIR_FASTCGI_MORE,   /* nothing is left of the bytes                                  */
    WEIR_FASTCGI_OUTPUT, /* a piece of the response, in *out                               */
    WEIR_FASTCGI_ERRORS, /* a piece of what the application says to its operator, in *out */
    WEIR_FASTCGI_END,    /* the request has ended; exit_status tells how                  */
    WEIR_FASTCGI_BROKEN, /* *out_fault tells why; nothing more can be read                */
} weir_fastcgi_event_t;

/**
 * Takes what comes next off the front of `bytes`, of which *out is a part, never empty. Faults: backend_fastcgi_record (another
 * version, a request that is not ours, a type that no application sends us, an END_REQUEST of another length or with an unknown
 * status), backend_fastcgi_overloaded, backend_fastcgi_refused (the application does not know our role, or thinks that we
 * multiplex).
 */
weir_fastcgi_event_t weir_fastcgi_read(weir_fastcgi_reader_t *reader, weir_span_t *bytes, weir_span_t *out,
                                       const weir_fault_t **out_fault);

#endif
