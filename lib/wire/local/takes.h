/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_TAKES_H
#define WEIR_WIRE_LOCAL_TAKES_H
/**
 * @file  What the client of a request takes. Between files.c and compress.c.
 *
 * THREAD   The request's loop.
 */
#include <h2o.h>

#include "lib/http/accept_encoding.h"

/** Whether it takes content in `coding`, by any of its fields. HTTP/1.0 clients take none: they may not know the word. */
static inline bool weir_request_takes(const h2o_req_t *req, weir_span_t coding)
{
    ssize_t at = -1;

    if (req->version < 0x101)
        return false;
    while ((at = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT_ENCODING, at)) != -1) {
        const h2o_iovec_t value = req->headers.entries[at].value;
        if (weir_accepts_coding((weir_span_t){value.base, value.len}, coding))
            return true;
    }
    return false;
}

#endif
