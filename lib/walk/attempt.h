/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_ATTEMPT_H
#define WEIR_WALK_ATTEMPT_H
/**
 * @file  The dealings of an exchange with the service that it holds, as routers are told of them.
 */
#include "lib/walk/exchange.h"
#include "weir_attempt.h"

/** A service has been picked: from here on one check-in is owed. */
void weir_attempt_begin(weir_exchange_t *x, weir_service_t *service);

/** An attempt has failed for this reason, or cannot go on; what the client did to it is not its failure. Harmless with NULL. */
void weir_attempt_fail(weir_exchange_t *x, const weir_fault_t *fault);

/** How it stands with the latest attempt. */
weir_attempt_t weir_attempt_of(const weir_exchange_t *x);

#endif
