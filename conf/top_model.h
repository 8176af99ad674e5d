/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_MODEL_H
#define WEIR_CONF_TOP_MODEL_H
/**
 * @file  What `weir top` shows, made of two documents of GET /v1/top: rates and percentiles of the time between them.
 *
 * Texts come from documents, cleaned: no byte of them is an order to a terminal. Numbers that are not known are NAN.
 *
 * OWNER    Who makes a model frees it; documents are borrowed while it is made.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum { TOP_NAME_BYTES = 256, TOP_STAGES = 4, TOP_LOOPS_MOST = 256, TOP_SLOW_MOST = 8, TOP_CHANGES_MOST = 5 };

/** An app of a router. */
typedef struct top_app {
    char router[TOP_NAME_BYTES], name[TOP_NAME_BYTES]; /* as the document has them: for paths */
    char shown[2 * TOP_NAME_BYTES];                    /* cleaned, with the router where there are several */
    const char *course;                                /* "paused", "stopped"; NULL: it is up              */
    double rate, in_flight, waiting, p50_us, p99_us, head_us, error_share, retry_rate;
    unsigned well, ill, draining, off;
} top_app_t;

/** What an app's list begins with. */
typedef enum top_order { TOP_BY_REQUESTS, TOP_BY_ERRORS, TOP_BY_WAITING, TOP_BY_LATENCY } top_order_t;

typedef struct top_model {
    bool is_since_start; /* there is no document before, or it is another process's */
    char version[TOP_NAME_BYTES], at[TOP_NAME_BYTES];
    int64_t pid;
    uint64_t uptime_ms, generation;
    double rate, in_flight, waiting, clients, backends, share_4xx, share_5xx;
    double p50_us[TOP_STAGES], p99_us[TOP_STAGES]; /* connect, queue, first byte, total */
    double rss_bytes;
    double busy[TOP_LOOPS_MOST];
    size_t loop_count;
    char slow[TOP_SLOW_MOST][TOP_NAME_BYTES]; /* one line each */
    size_t slow_count;
    char changes[TOP_CHANGES_MOST][TOP_NAME_BYTES]; /* the newest first, one line each */
    size_t change_count;
    top_app_t *apps;
    size_t app_count;
    uint64_t apps_total; /* configured, of all routers */
} top_model_t;

/** `before` NULL: numbers since the start. Never NULL; a document that lacks something leaves it unknown. */
top_model_t *top_model_make(const json_t *before, const json_t *after);
/** Frees and nulls it; harmless on NULL. */
void top_model_free(top_model_t **model);

/** Puts the apps into this order; of equal ones by name. */
void top_model_sort(top_model_t *model, top_order_t order);

/** A text in which what a terminal could take for an order is "?"; cut where it does not fit, between characters. */
void top_clean(const char *text, char *to, size_t bytes);

#endif
