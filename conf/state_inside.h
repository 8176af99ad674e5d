/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_STATE_INSIDE_H
#define WEIR_CONF_STATE_INSIDE_H
/**
 * @file  What the files of weir.state share.
 */
#include "conf/state.h"
#include "conf/state_files.h"
#include "conf/state_store.h"
#include "lib/base/metrics.h"
#include "lib/walk/metrics_source.h"

/** The source as it is now. */
typedef struct conf_state_view {
    bool has_files, has_store; /* one of them, or none      */
    bool is_there;             /* the first state, wherever it is from; true without a source */
    double age_s;              /* since it was looked at; since the store is not followed: 0 while it is */
    conf_state_files_facts_t files;
    state_follow_facts_t store;
} conf_state_view_t;

/** state.c. False: there is no source. Any thread. */
bool conf_state_look(conf_state_view_t *out);
/** What is held back may go. False: nothing is. */
bool conf_state_let_go(void);
/** Values of a store that are refused. */
void conf_state_each_value(void (*visit)(const state_follow_trouble_t *trouble, void *context), void *context);

/** state_tell.c */
void conf_state_tell_metrics(weir_metrics_source_t *of, weir_metric_sink_t *sink);

#endif
