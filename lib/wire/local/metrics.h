/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_METRICS_H
#define WEIR_WIRE_LOCAL_METRICS_H
/**
 * @file  The proxy's metrics, as Prometheus reads them: what stands behind `weir.metrics`.
 *
 * The numbers are gathered on the steward's thread, which serves no request; no loop waits for another. Meanwhile the inquiry
 * holds the configuration; the request may be gone by then.
 *
 * THREAD   Registration: where the configuration is loaded. Handler: the request's loop.
 */
#include "lib/base/scrape.h"
#include "lib/wire/loop/loop.h"

typedef struct weir_metrics_settings {
    const char *version; /* of the proxy; static        */
    unsigned abi;        /* of routers                  */
    size_t apps_most;    /* told of by name; 0: no apps */
    bool tells_members;  /* backends one by one         */
} weir_metrics_settings_t;

/** Has `path` answer with the metrics. The settings are read with each request, and stay as long as the configuration. */
void weir_metrics_register(h2o_pathconf_t *path, const weir_metrics_settings_t *settings);

/** Writes all of them. On the steward's thread. */
void weir_metrics_write(const weir_metrics_settings_t *settings, weir_metrics_format_t format, FILE *out);

#endif
