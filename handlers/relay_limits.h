/* SPDX-License-Identifier: MIT */
#ifndef WEIR_RELAY_LIMITS_H
#define WEIR_RELAY_LIMITS_H
/**
 * @file  What a request may take in all, and how slow either side may be: 70's, for a request that each byte keeps alive.
 *
 * OWNER    Embedded in the memory of stage 70, zeroed. Stopped before that is left.
 * THREAD   The exchange's loop's.
 */
#include "lib/walk/back.h"

typedef struct relay_limits {
    weir_exchange_t *x;
    void (*on_over)(weir_exchange_t *x, const weir_fault_t *fault);
    weir_timer_t total_timer, rate_timer;
    weir_relay_side_t side; /* that has been waited for */
    uint32_t seconds;       /* for so long              */
    uint64_t moved_bytes;   /* when that began          */
} relay_limits_t;

/**
 * Has on_over run, once, from the loop, when plan->max_request_time_ms since the request's begin are over (request_too_long),
 * or when a side that was waited for during 5 s has moved less than plan->min_rate_bytes a second (client_too_slow,
 * backend_too_slow). Nothing is limited that the plan does not limit.
 */
void relay_limits_start(relay_limits_t *limits, weir_exchange_t *x,
                        void (*on_over)(weir_exchange_t *x, const weir_fault_t *fault));

/** on_over will not run. Harmless if nothing was started. */
void relay_limits_stop(relay_limits_t *limits);

/** Has on_over run soon for backend_cut, also of a tunnel whose limits were stopped. Behind relay_limits_start(). */
void relay_limits_cut(relay_limits_t *limits);

#endif
