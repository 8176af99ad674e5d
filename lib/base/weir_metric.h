/* SPDX-License-Identifier: MIT */
#ifndef WEIR_METRIC_H
#define WEIR_METRIC_H
/**
 * @file  What a router tells whoever reads the proxy's metrics (weir_host.h: weir_router_metrics()).
 *
 * A router may use names of its own, which begin with "weir_router_", and those that the documentation (docs/metrics.md) calls
 * the kit's. Of its own, one that ends in "_total" is a counter, any other a gauge; names, and those of labels, are as
 * Prometheus wants them. What cannot be used is dropped, with a line on standard error.
 *
 * Values of one name and the same labels are added up, of all routers: tell yours apart by a label. At most 1000 series of a
 * name and 100 names are taken.
 *
 * THREAD   Only in weir_router_metrics(), with the sink that it was given.
 */
#include "weir_types.h"

WEIR_C_BEGIN

/** Where the numbers of one reading go. */
typedef struct weir_metric_sink weir_metric_sink_t;

/** A label: a name, and any bytes, which are escaped. Borrowed for the call. */
typedef struct weir_metric_label {
    const char *name;
    weir_span_t value;
} weir_metric_label_t;

/** A value: of a counter the sum since the process began, of a gauge that of now. `labels` NULL if there are none. */
WEIR_API void weir_metric_add(weir_metric_sink_t *sink, const char *name, const weir_metric_label_t *labels, size_t label_count,
                              double value);

/**
 * A histogram: `bound_count` upper bounds in ascending order, one count more than these, each of its own bucket alone (the last
 * of what is above every bound), and the sum of what was observed.
 */
WEIR_API void weir_metric_histogram(weir_metric_sink_t *sink, const char *name, const weir_metric_label_t *labels,
                                    size_t label_count, const double *bounds, const uint64_t *counts, size_t bound_count,
                                    double sum);

/**
 * Whether a value of this name is of use: the configuration wants it (of the kit's some are for who asks for them), and there
 * is room for another series. What is added all the same is dropped.
 */
WEIR_API bool weir_metric_is_wanted(const weir_metric_sink_t *sink, const char *name);

/**
 * True the first time that it is asked about this key in one reading: for what several instances share, and must be told once.
 */
WEIR_API bool weir_metric_once(weir_metric_sink_t *sink, const void *key);

WEIR_C_END

#endif
