/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_STAGES_H
#define WEIR_HANDLERS_STAGES_H
/**
 * @file  The built-in stages, by number; the files beside this one.
 */
#include "weir_stage.h"

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

/**
 * Merges the built-in stages with `extra` (count of them, any order) into `out` (room for WEIR_STAGES_MAX + 1, NULL at the
 * end). Returns the number of stages, or 0 with a sentence in `error`: a number taken twice, above 74 but not ours, no enter,
 * too many.
 */
size_t weir_stages_merge(const weir_stage_t *const *extra, size_t count, const weir_stage_t **out, char *error,
                         size_t error_size);

#endif
