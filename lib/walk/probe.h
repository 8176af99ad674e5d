/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_PROBE_H
#define WEIR_WALK_PROBE_H
/**
 * @file  Probes, as router/ asks the wire for them: weir_probe.h tells what they are.
 *
 * Implemented by lib/wire and, for tests, by t/unit/fake_back.c.
 * OWNER    A probe is its own; who began it may cancel it until its result is told.
 * THREAD   The steward's.
 */
#include "lib/walk/exchange.h"
#include "lib/walk/weir_probe.h"

enum { WEIR_PROBES_MOST = 100 }; /* under way, of the whole process */

typedef struct weir_probing weir_probing_t;

/**
 * Begins one: on_result runs once, later, on the steward's loop, and the probe is gone then. `target` is copied; what its spans
 * and its TLS lead to must stay. NULL: too many are under way.
 */
weir_probing_t *weir_probing_begin(const weir_probe_settings_t *settings, const weir_target_t *target,
                                   void (*on_result)(void *context, const weir_probe_result_t *result), void *context);

/** Ends it without a result, frees and nulls; harmless on NULL. */
void weir_probing_cancel(weir_probing_t **probing);

/** The address at `index` of the name that on_result is told of, as text. Base NULL: there are no more. */
weir_span_t weir_probing_address(const weir_probing_t *probing, size_t index);

/**
 * A field of the answer that on_result is being told of, or the first of several: name in lower case. Base NULL: there is none.
 */
weir_span_t weir_probing_header(const weir_probing_t *probing, weir_span_t name);

#endif
