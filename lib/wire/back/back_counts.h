/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_BACK_COUNTS_H
#define WEIR_WIRE_BACK_COUNTS_H
/**
 * @file  What is counted of connections with backends, for the metrics. On the thread that has the connection.
 */
#include "weir_types.h"

/** A connection that was wanted could not be had, for this reason. */
void weir_back_count_failure(const weir_fault_t *fault);

#endif
