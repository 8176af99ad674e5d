/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_APP_COUNTS_H
#define WEIR_BASE_APP_COUNTS_H
/**
 * @file  What each thread counts of each app, where `weir.metrics-apps` wants it.
 *
 * A thread has a table of its own, in its page of metrics.h. What is in it stays: sums never shrink. A thread counts
 * WEIR_APPS_COUNTED apps by name, later ones together.
 */
#include "lib/base/metrics.h"

enum { WEIR_APPS_COUNTED = 20000 };

typedef struct weir_app_counts {
    struct weir_app_counts *_Atomic next; /* in its bucket */
    _Atomic uint64_t begun, ended;
    _Atomic uint64_t requests[WEIR_STATUS_CLASSES];
    weir_histogram_t total;
    uint32_t hash;
    uint32_t name_bytes;
    char *name; /* behind it; not NUL-terminated */
} weir_app_counts_t;

/** A request to this app has begun. Returns what weir_app_counts_end() wants, on the same thread. Never NULL. */
weir_app_counts_t *weir_app_counts_begin(weir_metrics_page_t *page, weir_span_t app);

/** It has ended. `total_us` UINT64_MAX: how long it took is not counted. */
void weir_app_counts_end(weir_app_counts_t *counts, uint16_t status, uint64_t total_us);

/** An app as readings name it: as it is called if the one before has told of it by name, else "other". Any thread. */
weir_span_t weir_app_counts_name(weir_span_t app);

extern const weir_span_t weir_app_counts_other;

#endif
