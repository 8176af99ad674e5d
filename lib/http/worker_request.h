/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_WORKER_REQUEST_H
#define WEIR_HTTP_WORKER_REQUEST_H
/**
 * @file  The request by which a worker registers (docs/workers.md; draft-kazuho-ptth). Pure.
 *
 *   GET /workers/v1/APP HTTP/1.1     Connection: Upgrade     Upgrade: ptth     ALPN: h2     Worker-…
 */
#include "lib/http/framing.h"
#include "lib/http/headers.h"

enum {
    WEIR_WORKER_WORD_MOST = 64, /* of an app, an id, a version     */
    WEIR_WORKER_DOMAINS_MOST = 64,
    WEIR_WORKER_DOMAIN_MOST = 255,
    WEIR_WORKER_PATH_MOST = 255, /* of Worker-Health                */
    WEIR_WORKER_CAPACITY = 100,  /* where it says none              */
    WEIR_WORKER_CAPACITY_LIMIT = 10000,
    WEIR_WORKER_TOKEN_LEAST = 16,
    WEIR_WORKER_TOKEN_MOST = 512,
    WEIR_WORKER_HEAD_MOST = 8192, /* bytes of the whole head */
};

/** What it says; spans are borrowed from the head. base NULL: it says nothing of that. */
typedef struct weir_worker_request {
    weir_span_t app, id, version, health;
    weir_span_t upgrade; /* of the tokens that are known, the one that came first: it is answered with that */
    weir_span_t bearer;  /* a token, 16 to 512 visible characters   */
    weir_span_t basic;   /* credentials of Basic, as they came      */
    weir_span_t domains[WEIR_WORKER_DOMAINS_MOST];
    size_t domain_count;
    uint32_t weight, capacity;
    weir_protocol_t protocol; /* WEIR_HTTP2, or WEIR_HTTP1 */
} weir_worker_request_t;

/** The head, as far as it counts here. */
typedef struct weir_worker_head {
    weir_span_t method, path;
    uint16_t version; /* 0x101 */
    const weir_headers_t *headers;
    weir_framing_kind_t body;
} weir_worker_head_t;

/** Reads it. 0: it is fine; else the status to refuse it with, and a sentence. 426: no upgrade at all; 431: it is too long. */
uint16_t weir_worker_request_read(const weir_worker_head_t *head, weir_worker_request_t *out, const char **why);

#endif
