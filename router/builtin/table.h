/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_BUILTIN_TABLE_H
#define WEIR_ROUTER_BUILTIN_TABLE_H
/**
 * @file  What the table router's configuration says of an app beside its routing, which is the kit's. Made by table_config.c,
 * read by table.c; frozen in between.
 */
#include "weir_kit.h"

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

/** What few apps say of themselves. */
typedef struct table_more {
    table_header_t *headers[2]; /* by weir_way_t, in the order they are written */
    char *redirect_to;          /* NULL: none                                   */
    table_page_t *pages;
} table_more_t;

/** An app. */
struct weir_group {
    table_more_t *more; /* NULL: nothing */
    bool has_deep_continue, has_peer_port;
    char name[];
};

/** What it says, nothing included; never NULL. */
const table_more_t *table_more(const weir_group_t *app);

struct weir_shared {
    weir_kit_t *kit;
};

weir_router_configure_t table_configure;
weir_router_release_t table_release;

/** Frees an app. */
void table_free_app(void *of);

#endif
