/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_ORIGIN_H
#define WEIR_ADMIN_ORIGIN_H
/**
 * @file  Whether a request may be what a page of somebody else's has a browser send. Private to lib/admin. Pure.
 *
 * A browser comes here through a tunnel to the socket, as http://localhost:PORT. Any page that it shows may send requests
 * there, and, if its own name leads to 127.0.0.1 (DNS rebinding), read the answers: then Host is that name. Programs other
 * than browsers say who they are by the socket; these rules are not for them, and ask nothing of them but a name without dots.
 */
#include "weir_types.h"

/** What a request says of where it comes from; base NULL: it does not. */
typedef struct admin_provenance {
    weir_span_t method;
    weir_span_t host;            /* with its port, as the client named it */
    weir_span_t origin;          /* RFC 6454                              */
    weir_span_t fetch_site;      /* Sec-Fetch-Site                        */
    weir_span_t accept_encoding; /* browsers send it, and no page can have them leave it out */
    weir_span_t own_host;        /* of weir.admin, without a port                            */
} admin_provenance_t;

/**
 * NULL: it may be answered; else why not. Host must be localhost, a name in it, an address, or the name that the configuration
 * gives the endpoint, of which no page but ours can come; or a word without dots of who is no browser ("weir"). What is no GET
 * or HEAD must be of our own page, if of any: its Origin is Host's.
 */
const char *admin_distrust(const admin_provenance_t *of);

#endif
