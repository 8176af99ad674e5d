/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_COUNTS_H
#define WEIR_KIT_COUNTS_H
/**
 * @file  Answers and failures of the last ten seconds, and the sums of latencies that fade.
 *
 * A request writes nothing but its member's line of the cache; everything else is what ticks make of that, ten times a second.
 */
#include "set.h"

typedef struct kit_sums {
    double answers, failures; /* of the last ten seconds; failures are answers, too */
} kit_sums_t;

/** Since the first request that was counted. */
typedef struct kit_total {
    uint64_t successes, failures;
} kit_total_t;

/** From the pick to the head. Any thread. */
void kit_count_success(weir_member_t *member, uint64_t head_us);
/** Any thread. */
void kit_count_failure(kit_trouble_t *trouble, uint64_t now_us);

/** Of a member, up to now. Any thread. */
kit_sums_t kit_sums_of(const weir_member_t *member);
/** Of a member, in all. The ticks' thread. */
kit_total_t kit_total_of(const weir_member_t *member);
/** Of the app's others; `own` is kit_sums_of() it. Of more than 64 as the last tick has it: no walk along all. Any thread. */
kit_sums_t kit_sums_of_peers(const weir_set_t *set, const weir_member_t *member, kit_sums_t own);
/** Of all of the app. The same. */
kit_sums_t kit_sums_of_all(const weir_set_t *set);

/** A tenth of a second has gone. The ticks'. */
void kit_counts_tick(weir_set_t *set, const struct kit_view *view, uint64_t now_us);

#endif
