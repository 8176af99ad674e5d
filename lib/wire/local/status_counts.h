/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_STATUS_COUNTS_H
#define WEIR_WIRE_LOCAL_STATUS_COUNTS_H
/**
 * @file  What is counted of requests that have ended, on one loop or, added up, on all.
 *
 * A duration falls into one of eight steps between a power of two and the next, so it is known within an eighth.
 */
#include <stdint.h>
#include <stdio.h>

enum {
    WEIR_STATUS_CODES = 600,
    WEIR_STATUS_DURATIONS = 7, /* in the order of h2o's names: connect-time … duration */
    WEIR_STATUS_STEPS = 8 * 61,
};

typedef struct weir_status_counts {
    uint64_t by_status[WEIR_STATUS_CODES];
    uint64_t durations[WEIR_STATUS_DURATIONS][WEIR_STATUS_STEPS];
} weir_status_counts_t;

/** Counts a duration; a negative one as 0. */
void weir_status_count_duration(weir_status_counts_t *counts, unsigned which, int64_t us);

/** The duration, in microseconds, that the part `percent` of all of them, 0 to 100, does not exceed; 0 if there are none. */
uint64_t weir_status_quantile(const weir_status_counts_t *counts, unsigned which, unsigned percent);

void weir_status_counts_add(weir_status_counts_t *sum, const weir_status_counts_t *counts);

/** Prints members of a JSON object, by h2o's names; the first after a comma. */
void weir_status_print_events(FILE *out, const weir_status_counts_t *counts);
void weir_status_print_durations(FILE *out, const weir_status_counts_t *counts);

#endif
