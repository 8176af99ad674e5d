/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_WATCH_H
#define WEIR_KIT_WATCH_H
/**
 * @file  Who watches what changes: each change is kept as lines, the last 10,000 of them or 3 MiB, and sent to who has asked.
 *
 * OWNER    The instance.
 * THREAD   The host's, under the instance's lock.
 */
#include "change.h"

enum {
    KIT_WATCH_KEPT = 10000,
    KIT_WATCH_BYTES = 3 << 20, /* of all that are kept; less than a stream may be behind (weir_admin.h) */
    KIT_WATCH_LATEST = 5,      /* that kit_watch_latest() tells of */
};

/** A change has been put in force. */
void kit_watch_tell(kit_instance_t *instance, const kit_change_t *change, uint64_t seq);
/**
 * GET …/watch: sends what has changed since `after`, and all that will; with `is_once`, only the former. False: what came
 * behind that is kept no more.
 */
bool kit_watch_answer(kit_instance_t *instance, weir_admin_call_t *call, uint64_t after, bool is_once, bool wants_health);
/** Tells those who want to know it which of the set's members are well or ill in another way than they were. Ticks do. */
void kit_watch_health(kit_instance_t *instance, const weir_set_t *set);
/** The latest changes as an array, the newest first: their lines without what was before and after. Never NULL. */
json_t *kit_watch_latest(const kit_instance_t *instance);
/** Nobody is told any more, and nothing is kept. */
void kit_watch_end(kit_instance_t *instance);

#endif
