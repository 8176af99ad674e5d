/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_REQUEST_COUNTS_H
#define WEIR_HANDLERS_REQUEST_COUNTS_H
/**
 * @file  A request's part of the proxy's metrics (lib/base/metric.def).
 *
 * All of it is counted once, at the request's end, where its line is written: so that the sum of weir_requests_total is the
 * number of lines. Whether a log is on does not matter.
 */
#include "lib/walk/exchange.h"

/** Counts it; harmless the second time. */
void request_count(weir_exchange_t *x);

#endif
