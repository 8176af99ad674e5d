/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_RETRY_H
#define WEIR_KIT_RETRY_H
/**
 * @file  Whether a request is sent again, behind a failed connect: what has provably not run always, the rest if the app says
 * so and its budget allows it.
 *
 * THREAD   Any.
 */
#include "lease.h"

/** A new request: the budget grows with them. */
void kit_retry_count(weir_set_t *set, const kit_settings_t *settings, uint64_t now_us);
/** As weir_lease_retry() says. Spends the budget if it says yes. */
bool kit_retry_is_wanted(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                         const weir_fault_t *fault, const weir_attempt_t *attempt);

#endif
