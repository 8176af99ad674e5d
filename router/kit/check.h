/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_CHECK_H
#define WEIR_KIT_CHECK_H
/**
 * @file  What is asked of members that no client has asked: active checks (`health`), and the connection that ends the
 * quarantine of one that could not be connected to.
 *
 *   kit_set_apply ─► kit_check_follow ─► due ─► tick ─► probe ─► its verdict ─► due …
 *   quarantine `connect` ─► kit_check_connect, each tick ─► probe ─► recovers, or is tried again later
 *
 * There is one prober a process: the steward, by the ticks of the configuration that was started last.
 *
 * OWNER    A checker is its member's; a probe under way is the instance's.
 * THREAD   Under the instance's lock.
 */
#include "due.h"
#include "set.h"

enum { KIT_CHECK_IDLE_US = 300000000 }; /* without a request; then an app's members are checked seldom */

struct kit_instance;

/** Of a member that has an active check. */
typedef struct kit_checker {
    kit_due_t due; /* first */
    weir_member_t *member;
    weir_set_t *set;
    struct kit_probe *probe; /* under way, or NULL                                 */
    char *path;              /* of a worker that has named one; NULL: as `health`  */
    uint32_t passes, failures;
    bool has_spoken;       /* there was a result                                   */
    bool was_fine;         /* the last one                                         */
    bool drains;           /* Weir-Drain: of the last one, with `agent`            */
    uint16_t percent;      /* Weir-Weight, likewise; 100: as configured            */
    uint64_t passed_at_us; /* 0: never                                             */
    uint64_t result_at_us; /* of the last one; 0: none                             */
    uint64_t duration_us;
    const weir_fault_t *fault; /* of the last one; NULL: it was answered, by `status` */
    uint16_t status;
} kit_checker_t;

/**
 * A configuration is put in force: gives the member a checker, or takes it away. `path`: a GET of it is the check, whatever
 * `health` asks for; NULL: as there. `takes_at_once`: requests may have the member before it has passed.
 */
void kit_check_follow(weir_set_t *set, const kit_settings_t *settings, weir_member_t *member, const char *path,
                      bool takes_at_once, uint64_t now_us);
/** The member goes: nobody asks anything of it any more. */
void kit_check_forget(weir_member_t *member);
/** A set is used again after a while: its members are asked as often as those of others. */
void kit_check_wake(weir_set_t *set, uint64_t now_us, uint64_t dice);
/** Probes what is due. */
void kit_check_tick(struct kit_instance *instance, uint64_t now_us);
/** Tries to connect to a member in quarantine `connect`; nothing if that is under way, or a hundred probes are. */
void kit_check_connect(weir_set_t *set, weir_member_t *member);
/** Probes of this configuration have ended without a result: what they were to find out is due again. */
void kit_check_end(struct weir_kit *kit);
/** Whether a quarantine of its may end: a check has passed since it began, or it has none. */
bool kit_check_allows_trial(const weir_member_t *member);
/** It has fallen ill: it is asked more often. */
void kit_check_hurry(weir_member_t *member, uint64_t now_us);

#endif
