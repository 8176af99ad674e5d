/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_SAVED_H
#define WEIR_KIT_SAVED_H
/**
 * @file  The overlay as documents, for the state file. A record is {"seq": S, "set": [ … ]}, and what is set is one of
 *
 *   {"app": A, "own": …, "gone": …, "settings": …, "course": …}        {"app": A, "forget": true}
 *   {"app": A, "backend": ID, "base": …, "patch": …}                   {"app": A, "backend": ID, "drop": true}
 *   {"domain": D, "app": A, "base": B}                                 {"domain": D, "drop": true}
 *
 * each of which takes the place of what there was of the same thing.
 *
 * THREAD   Under the instance's lock.
 */
#include "change.h"

/** The record of a change that has been put in force. */
json_t *kit_saved_change(const kit_change_t *change, uint64_t seq);
/** Calls with a record for each thing that there is; it is borrowed. */
void kit_saved_each(const kit_instance_t *instance, void (*visit)(void *context, const json_t *record), void *context);
/** Takes a record over into an overlay that no configuration is in force with. False: it is none. */
bool kit_saved_restore(kit_instance_t *instance, const json_t *record);

#endif
