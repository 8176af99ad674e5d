/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_WANTED_H
#define WEIR_KIT_WANTED_H
/**
 * @file  Domains that an app of a source wants, and another app has: whoever gives one of them up hands it on, and no request
 *        finds it without an owner in between.
 *
 * OWNER    A configuration's kit.
 * THREAD   The caller's, under the instance's lock.
 */
#include "keyed.h"

/** The app wants the entry; of several the last one is remembered: all of them are offered again anyway, a moment later. */
void kit_wanted_note(kit_keyed_table_t *wanted, const char *entry, const char *app);
/** The app that does; NULL: none. Valid until it is noted or dropped. */
const char *kit_wanted_by(const kit_keyed_table_t *wanted, const char *entry);
/** The app has it, or wants it no more. Harmless if it never did. */
void kit_wanted_drop(kit_keyed_table_t *wanted, const char *entry, const char *app);
/** Drops all. */
void kit_wanted_finish(kit_keyed_table_t *wanted);

#endif
