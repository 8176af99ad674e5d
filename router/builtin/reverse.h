/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_BUILTIN_REVERSE_H
#define WEIR_ROUTER_BUILTIN_REVERSE_H
/**
 * @file  What the reverse router's configuration comes to. Made by reverse_config.c, read by reverse.c; frozen in between.
 */
#include "router/kit/alloc.h"
#include "router/kit/place.h"
#include "router/kit/scripts.h"
#include "url.h"

/** What is done to a header of a request; as h2o's proxy.header.* does it. */
typedef enum reverse_verb {
    REVERSE_ADD,        /* one more line                               */
    REVERSE_APPEND,     /* behind what is there, with a comma          */
    REVERSE_MERGE,      /* the same, unless it is in the list already  */
    REVERSE_SET,        /* in place of what is there                   */
    REVERSE_SETIFEMPTY, /* only where there is none                    */
    REVERSE_UNSET,
} reverse_verb_t;

typedef struct reverse_change {
    struct reverse_change *next;
    reverse_verb_t verb;
    weir_span_t name, value; /* of its own */
} reverse_change_t;

/** The one backend. */
struct weir_service {
    place_t place;
};

struct weir_shared {
    weir_service_t service;
    char *text; /* what url points into */
    url_t url;
    weir_span_t host; /* what the backend is called in Host */
    bool preserves_host;
    weir_keepalive_t keepalive;
    weir_backend_tls_t *tls;   /* NULL: http */
    reverse_change_t *changes; /* in the order they are written */
    bool is_fastcgi;           /* in place of an url            */
    weir_fastcgi_t fastcgi;
};

weir_router_configure_t reverse_configure;
weir_router_release_t reverse_release;

#endif
