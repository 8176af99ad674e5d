/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_LATER_H
#define WEIR_KIT_LATER_H
/**
 * @file  What is to be done with a backend at a time that an operator has said: a drain ends, a quarantine does.
 *
 * It stands in the edit's patch, `then`: {"at_ms": …, "do": "off"}, on the wall's clock, so that the state file keeps it; this
 * list is where ticks look. A later change of the backend's state ends it.
 *
 * OWNER    The instance.
 * THREAD   Under the instance's lock.
 */
#include "change.h"

/**
 * {"state": …, "then": …}: this state for so long (ms), and what then (a literal: "off", "up", "remove", or "cut": removed, and
 * its requests are cut off).
 */
json_t *kit_later_patch(const char *state, uint32_t ms, const char *what);
/** The same, and who is pinned to the backend leaves it by and by in `ramp_ms` from now on (at most `ms`). */
json_t *kit_later_ramped(const char *state, uint32_t ms, uint32_t ramp_ms, const char *what);
/** What the patch says of that. */
void kit_later_ramp(const kit_edit_t *edit, kit_wanted_t *wanted);
/** What the patch says is noted, if it says something. */
void kit_later_note(kit_instance_t *instance, const char *app, const kit_edit_t *edit);
/** All that the overlay says. When the first configuration starts. */
void kit_later_note_all(kit_instance_t *instance);
/** Does what is due, as changes of the proxy's own. Ten times a second. */
void kit_later_tick(struct weir_kit *kit);
/** What requests that were sent to this backend have as their service, for weir_service_cut(); NULL: there is none. */
const weir_service_t *kit_service_of(const struct weir_kit *kit, const char *app, const char *id);
void kit_later_free(kit_instance_t *instance);

#endif
