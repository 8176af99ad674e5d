/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TRACE_H
#define WEIR_CONF_TRACE_H
/**
 * @file  The directive `weir.trace`: which requests have a trace, which of these are sampled, and who receives their spans.
 *
 * A level that says nothing of a thing has it as the level around it says. Who receives is said at the global level alone:
 * there is one sender for all of the process.
 */
#include "conf/snapshot.h"

/** Reads ON, OFF or a map into conf->level->trace and conf->trace_receiver. Returns 0, or -1 after a complaint. */
int conf_trace_read(conf_t *conf, bool is_global, const yoml_t *node);

/** Puts what conf->level says into a plan. */
void conf_trace_plan(const conf_t *conf, weir_plan_t *plan);

/** The configuration is in use: spans go to its receiver. Main thread. */
void conf_trace_begin(const conf_t *conf);

#endif
