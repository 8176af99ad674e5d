/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_QUEUE_H
#define WEIR_KIT_QUEUE_H
/**
 * @file  Requests that wait for a member: in turn among clients, in order within a client, with a bound and a deadline.
 *
 * Nobody who waits stands beside a free slot: who waits says so first and looks for a slot then; who frees one does so first
 * and looks for somebody who waits then.
 *
 * ORDER    Answers are given in the order in which they were due, whichever threads have served whom.
 *
 * OWNER    The set's, from its first waiter on.
 * THREAD   Any.
 */
#include "faults.h"
#include "lease.h"

/** Why they wait. */
typedef enum kit_cause { KIT_BUSY, KIT_HOLD, KIT_PAUSE } kit_cause_t;

/**
 * Waits, or refuses at once if there is no place: what checkout_service returns. `cause` KIT_HOLD: nobody could take it, with
 * the deadline of `hold`; `why` is what would be said at its end. KIT_PAUSE: until the app goes on.
 */
weir_answer_t kit_queue_wait(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                             weir_q_checkout_t *q, const kit_asking_t *asking, kit_cause_t cause, kit_why_none_t why);
/** A request that waits is not to wait any more: answers its question. */
void kit_queue_leave(kit_lease_t *lease, uint64_t now_us);
/** Those who wait for a member that has left or is ill wait for any, or are refused. Before a member is retired. */
void kit_queue_unpin(weir_set_t *set, uint64_t now_us);
/** Something may be free: gives it out. `is_checkin`: one slot; else many may come at once, and are let go by and by. */
void kit_queue_kick(weir_set_t *set, uint64_t now_us, bool is_checkin);
/** Refuses those whose time is up, and gives out what nobody gave. */
void kit_queue_tick(weir_set_t *set, uint64_t now_us);
/** A head has come, or a failure, while many are let go by and by. */
void kit_queue_pace(weir_set_t *set, bool is_success);
/** How many wait. */
uint32_t kit_queue_count(const weir_set_t *set);
/** Before the set's activity is given back: nobody can wait in it any more. False: somebody does. Under the instance's lock. */
bool kit_queue_close(weir_set_t *set);
/** Whether so many are in flight that nobody is let go now: those who waited come by and by. */
bool kit_queue_is_window_full(const weir_set_t *set);
/** Whether a request that has to wait would be refused: the queue is full, and its client has most of those who wait. */
bool kit_queue_has_no_place(weir_set_t *set, const kit_settings_t *settings, const weir_request_t *request);
/** Whether a request that comes now is looked at, though others wait: all of them want what it may not. */
bool kit_queue_lets_pass(weir_set_t *set, const kit_settings_t *settings, const weir_request_t *request);
/** How often a tick has found somebody waiting beside a free slot: each is a fault of ours. */
uint64_t kit_queue_rescues(void);
/** With the set; nobody waits. Harmless on NULL. */
void kit_queue_free(struct kit_queue *queue);

#endif
