/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_RETRY_H
#define WEIR_KIT_RETRY_H
/**
 * @file  Whether a request is sent again, behind a connect that went well: what has provably not run, what a backend has
 * declined to run this time, and the rest if the app says so; all but the first within a budget.
 *
 * THREAD   Any.
 */
#include "lease.h"
#include "metrics.h"

/** A new request: the budget grows with them. */
void kit_retry_count(weir_set_t *set, const kit_settings_t *settings, uint64_t now_us);
/** Of the last ten seconds, what may be sent again, and what was. */
typedef struct kit_budget {
    uint64_t most, spent;
} kit_budget_t;
kit_budget_t kit_retry_budget(const weir_set_t *set, const kit_settings_t *settings);
/** Nobody but the member that has failed just now may have it: answers with a pause, once for each time. */
weir_answer_t kit_retry_pause(kit_lease_t *lease, weir_q_checkout_t *q);

/** A request is sent again, of this class: counted of all apps, and of this one. */
void kit_retry_note(weir_set_t *set, kit_metric_t metric);

#endif
