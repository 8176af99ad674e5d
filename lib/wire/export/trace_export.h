/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_EXPORT_TRACE_EXPORT_H
#define WEIR_WIRE_EXPORT_TRACE_EXPORT_H
/**
 * @file  The thread that sends the spans of traces (lib/base/trace_queue.h) to their receiver.
 *
 *   waiting ─512, or 1 s after the first─► a message ─► taken
 *                                             ├─ refused: lost
 *                                             └─ too busy, or not there: once more, in Retry-After or 1 s ─► lost
 *
 * What is lost is counted (weir_trace_spans_total), and said on standard error every 10 s at most. Only this thread waits for
 * the receiver.
 *
 * OWNER    The process.
 * THREAD   The main one.
 */
#include "lib/wire/export/trace_receiver.h"

/** From now on spans go to this receiver, which is held; starts the thread if need be. NULL: nothing changes. */
void weir_trace_export_begin(weir_trace_receiver_t *receiver);

/**
 * Sends what waits, for at most `deadline_ms`, and ends the thread. No loop serves any more. Harmless if it was never begun.
 */
void weir_trace_export_stop(uint32_t deadline_ms);

#endif
