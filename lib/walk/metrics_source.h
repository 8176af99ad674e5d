/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_METRICS_SOURCE_H
#define WEIR_WALK_METRICS_SOURCE_H
/**
 * @file  Routers that have metrics of their own to tell; those who read metrics ask all of them.
 *
 * THREAD   Any; the sources are asked on the thread that calls weir_metrics_ask(), one reading at a time.
 */
#include "lib/base/list.h"
#include "weir_metric.h"

typedef struct weir_metrics_source {
    weir_list_t link;
    const char *name; /* of the place where it stands: of several with one name only the newest generation is asked */
    uint64_t generation;
    void (*tell)(struct weir_metrics_source *source, weir_metric_sink_t *sink);
} weir_metrics_source_t;

/** From now on it is asked; its members are set, but for the link. */
void weir_metrics_source_add(weir_metrics_source_t *source);

/** It is not asked any more when this returns; waits for a reading that is under way. Harmless if it was never added. */
void weir_metrics_source_remove(weir_metrics_source_t *source);

/** Asks all of them. */
void weir_metrics_ask(weir_metric_sink_t *sink);

#endif
