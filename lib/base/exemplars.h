/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_EXEMPLARS_H
#define WEIR_BASE_EXEMPLARS_H
/**
 * @file  The latest trace in each bucket of how long requests took (weir_stage_duration_seconds, total): an example to look at.
 *
 * A thread keeps its own, beside its page of metrics.h, from the first sampled request on. Whoever reads takes the newest of
 * all threads; one that is being written at that moment is left out.
 *
 * THREAD   Noting: the page's. Reading: any.
 */
#include "lib/base/metrics.h"

enum { WEIR_EXEMPLAR_TRACE_BYTES = 32 };

/** One of them. */
typedef struct weir_exemplar {
    char trace_id[WEIR_EXEMPLAR_TRACE_BYTES]; /* hexadecimal; no NUL   */
    uint64_t us;                              /* how long it took      */
    uint64_t wall_us;                         /* when it ended         */
} weir_exemplar_t;

/** Notes one in its bucket. */
void weir_exemplar_note(weir_metrics_page_t *page, const weir_exemplar_t *exemplar);

/** The newest of a bucket, over all threads. False: there is none. */
bool weir_exemplar_newest(size_t bucket, weir_exemplar_t *out);

#endif
