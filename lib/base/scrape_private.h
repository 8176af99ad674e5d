/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_SCRAPE_PRIVATE_H
#define WEIR_BASE_SCRAPE_PRIVATE_H
/**
 * @file  What a reading is made of. Between scrape.c, scrape_write.c and scrape_threads.c only.
 */
#include "lib/base/arena.h"
#include "lib/base/scrape.h"

enum { SCRAPE_OWN_FAMILIES = 100, SCRAPE_SERIES = 1000, SCRAPE_LABELS = 16, SCRAPE_KEYS = 1024, SCRAPE_MEMBERS = 400 };

typedef struct scrape_sample {
    struct scrape_sample *next;
    const char *suffix; /* "", "_bucket", "_sum", "_count"; static */
    const char *labels; /* as written, without braces              */
    double value;
    const char *exemplar; /* as written behind it, or NULL */
} scrape_sample_t;

/** All series of a name. */
typedef struct scrape_family {
    const char *name, *help;
    weir_metric_type_t type;
    scrape_sample_t *first, **end; /* in the order they came */
    size_t count;
} scrape_family_t;

struct weir_metric_sink {
    weir_arena_t arena;
    scrape_family_t families[WEIR_METRICS];
    scrape_family_t own[SCRAPE_OWN_FAMILIES]; /* of routers: weir_router_… */
    size_t own_count;
    const void *keys[SCRAPE_KEYS];
    size_t key_count;
    bool wants_apps, wants_members;
};

#endif
