/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_METRICS_H
#define WEIR_KIT_METRICS_H
/**
 * @file  What the kit counts for metrics, of all instances together.
 *
 * Each thread has cells of its own, which it alone writes; they outlive it, and every instance.
 *
 * THREAD   Counting: any, in its own cells.
 */
#include <stdatomic.h>

#include "instance.h"
#include "weir_metric.h"

typedef enum kit_metric {
    KIT_ENTERED_BUSY, /* in the order of kit_cause_t; then those who wait for the member they are pinned to */
    KIT_ENTERED_HOLD,
    KIT_ENTERED_PAUSE,
    KIT_ENTERED_PIN,
    KIT_ENDED_BUSY, /* those who wait no more, by the same */
    KIT_ENDED_HOLD,
    KIT_ENDED_PAUSE,
    KIT_ENDED_PIN,
    KIT_LEFT_SERVED,
    KIT_LEFT_DEADLINE,
    KIT_LEFT_CLIENT,
    KIT_LEFT_DEEP,
    KIT_LEFT_STOPPED,
    KIT_LEFT_LOST,
    KIT_RETRIES_A,
    KIT_RETRIES_B,
    KIT_RETRIES_C,
    KIT_RETRY_REFUSED,
    KIT_QUARANTINES_CONNECT, /* in the order of kit_quarantine_t from KIT_CONNECT on */
    KIT_QUARANTINES_FAILING,
    KIT_QUARANTINES_SILENT,
    KIT_QUARANTINE_REFUSED,
    KIT_AFFINITY_NEW, /* in the order of kit_pin_state_t from KIT_PIN_NEW on */
    KIT_AFFINITY_KEPT,
    KIT_AFFINITY_MOVED,
    KIT_AFFINITY_BORROWED,
    KIT_AFFINITY_INVALID,
    KIT_CHANGES_PUT,
    KIT_CHANGES_PATCH,
    KIT_CHANGES_DELETE,
    KIT_CHANGES_REVERT,
    KIT_CHANGES_PAUSE,
    KIT_CHANGES_RESUME,
    KIT_CHANGES_STOP,
    KIT_STATE_ERRORS,
    KIT_METRICS
} kit_metric_t;

enum { KIT_WAIT_BOUNDS = 16 };

typedef struct kit_metrics_page {
    struct kit_metrics_page *next;
    _Atomic uint64_t counts[KIT_METRICS];
    _Atomic uint64_t waits[KIT_WAIT_BOUNDS + 1]; /* of those who were served, by how long they waited */
    _Atomic uint64_t waited_us;
} kit_metrics_page_t;

/** One more. */
void kit_metrics_count(kit_metric_t metric);
/** So many more. */
void kit_metrics_count_many(kit_metric_t metric, uint64_t count);
/** An operator has changed something: `op` as it is told to who watches. */
void kit_metrics_changed(const char *op);
/** metrics_members.c: what only those see who ask for it: apps where somebody waits, and members one by one. Under the lock. */
void kit_metrics_tell_each(kit_instance_t *instance, weir_metric_sink_t *sink);
/** Whether it takes requests, as weir_members counts it. */
bool kit_metrics_is_up(const weir_member_t *member);

/** One that has waited for so long was served. */
void kit_metrics_waited(uint64_t us);

#endif
