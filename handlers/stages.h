/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_STAGES_H
#define WEIR_HANDLERS_STAGES_H
/**
 * @file  The built-in stages, by number; the files beside this one.
 */
#include "lib/walk/exchange.h"

extern const weir_stage_t weir_stage_begin;    /* 00 */
extern const weir_stage_t weir_stage_validate; /* 10 */
extern const weir_stage_t weir_stage_lookup;   /* 20 */
extern const weir_stage_t weir_stage_continue; /* 30 */
extern const weir_stage_t weir_stage_upgrade;  /* 40 */
extern const weir_stage_t weir_stage_checkout; /* 50 */
extern const weir_stage_t weir_stage_connect;  /* 60 */
extern const weir_stage_t weir_stage_relay;    /* 70 */
extern const weir_stage_t weir_stage_refuse;   /* 75 */
extern const weir_stage_t weir_stage_checkin;  /* 80 */
extern const weir_stage_t weir_stage_end;      /* 90 */

/** All of them by ascending number, NULL at the end. */
extern const weir_stage_t *const weir_stages[];

/** A stage of the user's, and what its configure has made. */
typedef struct weir_extra_stage {
    const weir_stage_t *stage;
    weir_stage_shared_t *shared;
} weir_extra_stage_t;

/** What the stages of a plan come to. */
typedef struct weir_stage_list {
    const weir_stage_t *at[WEIR_STAGES_MAX + 1];  /* by ascending number, NULL at the end */
    weir_stage_shared_t *shared[WEIR_STAGES_MAX]; /* of each                              */
    size_t count;
    uint32_t built_in; /* a bit for each of them */
} weir_stage_list_t;

/**
 * Merges the built-in stages with `extra` (count of them, any order). False with a sentence in `error`: a number taken twice,
 * above 74 but not ours, no enter, too many.
 */
bool weir_stages_merge(const weir_extra_stage_t *extra, size_t count, weir_stage_list_t *out, char *error, size_t error_size);

/** Makes them those of `plan`. The list must outlive it. */
void weir_stages_fill(weir_plan_t *plan, const weir_stage_list_t *list);

#endif
