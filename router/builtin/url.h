/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_BUILTIN_URL_H
#define WEIR_ROUTER_BUILTIN_URL_H
/**
 * @file  URLs of backends: "http://host:port/path", "http://[v6]/", "http://[unix:/path]/". The reverse router's own.
 */
#include "weir_types.h"

/** Borrowed parts of a URL's text. */
typedef struct url {
    bool is_https;
    weir_span_t authority; /* as written, brackets and port included */
    weir_span_t host;      /* without brackets                        */
    uint16_t port;         /* the scheme's own if none is written     */
    weir_span_t path;      /* from the first '/' on, query included; "/" if there is none */
} url_t;

/** Takes `text` apart. False if it is no URL of the kinds above. */
bool url_read(weir_span_t text, url_t *out);

/** Whether both lead to the same scheme, host (letters of either case being equal) and port. */
bool url_is_same_place(const url_t *a, const url_t *b);

/** The path of the socket that a host like "unix:/run/app.sock" names; base is NULL for any other. */
weir_span_t url_socket(weir_span_t host);

/** Whether `path` is `prefix` or lies below it: "/a/b" and "/a?b" below "/a", but not "/ab". */
bool url_is_below(weir_span_t path, weir_span_t prefix);

/**
 * Writes `to`, followed by `rest`, which stood behind `from`, so that what is one segment of the path stays one: "/b" behind
 * "/a" becomes "/x/b" behind "/x/" as well as behind "/x". Returns the length, at most to.len + 1 + rest.len.
 */
size_t url_join(weir_span_t from, weir_span_t to, weir_span_t rest, char *out);

#endif
