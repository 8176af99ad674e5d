/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_EXPLAIN_H
#define WEIR_KIT_EXPLAIN_H
/**
 * @file  What would become of a request, and why.
 *
 *   kit_explain_decide() ── what happens ──► kit_explain_document() ── its words ──► weir_explain_answer()
 *
 * OWNER    Who asks, on its stack.
 * THREAD   The ticks', under the instance's lock: so views, members and settings stay.
 */
#include <jansson.h>

#include "lease.h"
#include "weir_explain.h"

typedef struct kit_explained {
    const kit_settings_t *settings;
    kit_asking_t asking;
    kit_lease_t *lease;          /* the asker's: it has taken nothing                    */
    const weir_member_t *pinned; /* to whom its cookie leads, before it was let go; NULL */
    kit_turn_t turn;
    const weir_fault_t *fault; /* with KIT_TURN_REFUSED */
    bool may_look;             /* else the others who wait come first */
    kit_lease_look_t look;
} kit_explained_t;

/** What weir_lease_checkout() would do with this lease, in which nothing was picked yet. To be freed by kit_explain_free(). */
void kit_explain_decide(kit_explained_t *it, kit_lease_t *lease, weir_set_t *set, const weir_request_t *request);
void kit_explain_free(kit_explained_t *it);

/** All of it but `lookup`. */
json_t *kit_explain_document(kit_explained_t *it, weir_set_t *set, const weir_request_t *request);

/* explain_members.c */
json_t *kit_explain_members(const kit_explained_t *it, const weir_set_t *set, const weir_request_t *request);
/** Null: the app has none. */
json_t *kit_explain_affinity(const kit_explained_t *it, const weir_set_t *set, const weir_request_t *request);

#endif
