/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_HEALTH_H
#define WEIR_KIT_HEALTH_H
/**
 * @file  What answers say of a member: how slow it is (its handicap), and whether it is ill (quarantine).
 *
 * Members are compared with their peers: an application that answers 30 % of all requests with 500 by itself is well.
 *
 *   FREE ──so many failures in a row, such a share, silence, no connection──► FAILING, SILENT, CONNECT ──time──► TRIAL
 *    ▲                                                                              ▲                             │ │
 *    └──────────────────────────────── a success ───────────────────────────────────┼─────────────────────────────┘ │
 *                                                                                   └── a failure: for longer ──────┘
 *
 * CONNECT has no trial: it ends when the steward has made a connection (check.h), never by a request.
 *
 * THREAD   kit_note_…: the request's. kit_health_tick(): the ticks'.
 */
#include "set.h"

/** What an attempt has been. */
typedef enum kit_result { KIT_RESULT_SUCCESS, KIT_RESULT_FAILURE, KIT_RESULT_NO_CONNECTION, KIT_RESULT_NOTHING } kit_result_t;

/** What is noted of an attempt. */
typedef struct kit_note {
    kit_result_t result;
    bool has_status;  /* a failure by its status: it counts once a client */
    bool is_trial;    /* it has tried a member behind its quarantine */
    uint64_t head_us; /* of a success: from the pick to the head           */
    uint64_t client;  /* a hash of its address                             */
    uint64_t now_us;
    uint64_t dice; /* 64 random bits: nobody comes back at the same time */
} kit_note_t;

/** Counts an attempt, and puts its member in quarantine if that is due. */
void kit_note(weir_set_t *set, weir_member_t *member, const kit_settings_t *settings, const kit_note_t *note);
/** The member has said that it has enough to do (429, 503 with Retry-After), for so long. */
void kit_note_pushed_back(weir_member_t *member, uint64_t now_us, uint32_t seconds);

/** The steward has tried to connect to a member in quarantine CONNECT. Under the instance's lock. */
void kit_health_connected(weir_set_t *set, weir_member_t *member, bool is_connected, uint64_t now_us, uint64_t dice);

/** How many failures in a row happen to one as well as its peers once in a million. `share`: of failures among the peers. */
unsigned kit_row_most(double share);

/** A tenth of a second has gone: handicaps, silence, ends of quarantines. `dice`: 64 random bits. True: some will do again. */
bool kit_health_tick(weir_set_t *set, uint64_t now_us, uint64_t dice);

#endif
