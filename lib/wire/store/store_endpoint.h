/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_STORE_ENDPOINT_H
#define WEIR_WIRE_STORE_ENDPOINT_H
/**
 * @file  Where a member of the store is.
 *
 * OWNER  Whoever read it; store_endpoint_free().
 */
#include "lib/wire/store/etcd.h"

typedef struct store_endpoint {
    char *url;        /* "https://HOST:PORT" */
    const char *name; /* HOST:PORT, with the brackets of IPv6; in `url` */
    char *host;       /* without them */
    const char *port; /* in `url` */
    bool has_tls;
} store_endpoint_t;

/** Reads "https://HOST:PORT", "http://HOST:PORT" or "HOST:PORT". False: see `problem`. */
bool store_endpoint_read(const char *text, bool has_tls, store_endpoint_t *out, char problem[static WEIR_ETCD_PROBLEM_BYTES]);

void store_endpoint_free(store_endpoint_t *endpoint);

/** In any order, one as likely as another. */
void store_endpoints_shuffle(store_endpoint_t *endpoints, size_t count);

#endif
