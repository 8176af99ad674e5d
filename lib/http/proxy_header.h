/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_PROXY_HEADER_H
#define WEIR_HTTP_PROXY_HEADER_H
/**
 * @file  The strict reader of PROXY headers, versions 1 and 2: what a load balancer says of a connection before its first byte.
 *
 * Pure: no I/O, no clock, no allocation, no state. It may be asked again about a growing buffer; what it says of some bytes is
 * final unless it is PARTIAL, however they came.
 *
 * Version 1: one line of at most 107 bytes that ends in CRLF; single spaces, addresses of the family that is named, ports
 * without leading zeros; whatever follows UNKNOWN is ignored.
 * Version 2: commands LOCAL (whose block is ignored) and PROXY; families UNSPEC (the same), INET, INET6 and UNIX, streams only.
 * TLVs must fill the rest of the block exactly. A known one that comes twice, has the wrong size, or a CRC32C that does not
 * fit, breaks the header; unknown ones are skipped.
 */
#include "weir_types.h"

enum {
    WEIR_PROXY_V1_BYTES = 107,        /* of a version 1 line, CRLF included                          */
    WEIR_PROXY_V2_BYTES = 4096,       /* of a version 2 header, its first 16 bytes included; our own */
    WEIR_PROXY_UNIQUE_ID_BYTES = 128, /* of a UNIQUE_ID                                              */
};

/** What the connection's ends are. */
typedef enum weir_proxy_kind {
    WEIR_PROXY_LOCAL, /* those of the socket itself: LOCAL, UNKNOWN, UNSPEC */
    WEIR_PROXY_INET,
    WEIR_PROXY_INET6,
    WEIR_PROXY_UNIX,
} weir_proxy_kind_t;

typedef struct weir_proxy_end {
    uint8_t address[16]; /* in network order; INET: the first four           */
    uint16_t port;       /* 0 for UNIX                                       */
    weir_span_t path;    /* of UNIX, up to the first NUL; may be empty       */
} weir_proxy_end_t;

/** TLVs that are bytes to us. */
typedef enum weir_proxy_text {
    WEIR_PROXY_AUTHORITY,   /* the host name the client asked for (SNI) */
    WEIR_PROXY_ALPN,        /* the protocol it speaks                   */
    WEIR_PROXY_UNIQUE_ID,   /* the sender's name for the connection     */
    WEIR_PROXY_SSL_VERSION, /* "TLSv1.3"                                */
    WEIR_PROXY_SSL_CN,      /* of the client's certificate              */
    WEIR_PROXY_SSL_CIPHER,
    WEIR_PROXY_TEXTS,
} weir_proxy_text_t;

typedef struct weir_proxy_tlvs {
    weir_span_t text[WEIR_PROXY_TEXTS]; /* base is NULL where there is none     */
    bool is_ssl;                        /* the client came to the sender by TLS */
} weir_proxy_tlvs_t;

/** A complete header. Every span points into the buffer that was read. */
typedef struct weir_proxy_header {
    weir_proxy_kind_t kind;
    weir_proxy_end_t source, destination; /* zeroed if LOCAL */
    weir_proxy_tlvs_t tlvs;               /* zeroed if LOCAL */
} weir_proxy_header_t;

typedef enum weir_proxy_progress { WEIR_PROXY_PARTIAL, WEIR_PROXY_COMPLETE, WEIR_PROXY_BROKEN } weir_proxy_progress_t;

/**
 * Reads what has arrived so far; `bytes` always starts at the header's first byte.
 * COMPLETE: *out_header is set, *out_consumed_bytes is the header's length; what follows is the connection's own.
 * BROKEN: there is no header, or a wrong one; said as soon as the bytes show it, at the latest at the limits above.
 */
weir_proxy_progress_t weir_proxy_header_read(weir_span_t bytes, weir_proxy_header_t *out_header, size_t *out_consumed_bytes);

#endif
