/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_BUILTIN_TABLE_H
#define WEIR_ROUTER_BUILTIN_TABLE_H
/**
 * @file  What the table router's configuration comes to. Made by table_config.c, read by table.c; frozen in between.
 */
#include "domains.h"
#include "place.h"
#include "scripts.h"

typedef struct table_header {
    struct table_header *next;
    char *name, *value;
} table_header_t;

typedef struct table_page {
    struct table_page *next;
    char *reason;    /* a fault's name                          */
    uint16_t status; /* 0: the fault's                          */
    char *body;      /* NULL: the default one                   */
    size_t body_bytes;
    const char *type;
} table_page_t;

struct weir_service {
    const weir_group_t *app;
    const place_t *place;
};

/** An app. */
struct weir_group {
    weir_group_t *next;
    char *name;
    weir_service_t *services;
    place_t *places;
    size_t service_count;
    weir_keepalive_t keepalive;
    weir_protocol_t protocol;
    weir_backend_tls_t *tls; /* NULL: no backend needs it */
    weir_fastcgi_t fastcgi;  /* with WEIR_FASTCGI         */
    bool has_deep_continue, has_peer_port;
    table_header_t *headers[2]; /* by weir_way_t, in the order they are written */
    char *redirect_to;          /* NULL: none                                   */
    table_page_t *pages;
};

struct weir_shared {
    weir_group_t *apps;
    domains_t domains;
};

weir_router_configure_t table_configure;
weir_router_release_t table_release;

#endif
