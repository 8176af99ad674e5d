/* SPDX-License-Identifier: MIT */
#ifndef WEIR_METRIC_H
#define WEIR_METRIC_H 
#include "weir_types.h"
WEIR_C_BEGIN
typedef struct weir_metric_sink weir_metric_sink_t;
typedef struct weir_metric_label {
    const char *name;
    weir_span_t value;
} weir_metric_label_t;
WEIR_API void weir_metric_add(weir_metric_sink_t *sink, const char *name, const weir_metric_label_t *labels, size_t label_count,
                              double value);
WEIR_API void weir_metric_histogram(weir_metric_sink_t *sink, const char *name, const weir_metric_label_t *labels,
                                    size_t label_count, const double *bounds, const uint64_t *counts, size_t bound_count,
                                    double sum);
WEIR_API bool weir_metric_is_wanted(const weir_metric_sink_t *sink, const char *name);
WEIR_API bool weir_metric_once(weir_metric_sink_t *sink, const void *key);
WEIR_C_END
#endif
