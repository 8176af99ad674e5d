/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_ASLEEP_H
#define WEIR_KIT_ASLEEP_H
/**
 * @file  Apps of sources that nobody has asked for yet. Of a hundred thousand apps few have requests: of the others a kit has
 * the text alone, which was read once to see that it is right.
 *
 *   asleep   text, no set     known by its domains and its name
 *      │ a request (kit_app_call): its loop makes the set of what the text says
 *   called   text, and a set  serves
 *      │ somebody looks, or something of it changes (kit_app_wake)
 *   awake    no text          as all others
 *
 * Only apps sleep whose set is made in a moment, of nothing but the text: no files, no names, no checks, no keys, no workers,
 * nothing that operators have changed, and no more backends than KIT_ASLEEP_MOST.
 *
 * OWNER    The configuration.
 * THREAD   kit_app_call(): any, in a callback. The others: under the instance's lock.
 */
#include "own.h"

enum { KIT_ASLEEP_MOST = 64 };

/** Whether an app that was read may sleep; `present` (NULL: none) is the one whose place it takes. */
bool kit_app_may_sleep(const struct weir_kit *kit, const kit_app_t *present, const kit_app_t *read);
/**
 * It sleeps from now on, with this text: takes `read` over, in the place of `present` (NULL: as a new app). NULL: a request has
 * called the present one meanwhile; `read` is as it was.
 */
kit_app_t *kit_app_lay_down(struct weir_kit *kit, kit_app_t *present, kit_own_t *read, weir_state_text_t *text);
/** Its set, which is made of the text if there is none. NULL: it has none of either. */
weir_set_t *kit_app_call(const struct weir_kit *kit, kit_app_t *app);
/** It is awake. Harmless if it was. */
void kit_app_wake(struct weir_kit *kit, kit_app_t *app);
/** kit_app_find(), and it is awake. */
kit_app_t *kit_app_awake(const struct weir_kit *kit, weir_span_t name);
/**
 * Reads what its text says in place of that, unless there is something newer; nothing if it has none. Requests must not find it
 * without a set meanwhile: kit.c.
 */
void kit_app_unpack(struct weir_kit *kit, kit_app_t *app);
/** Its source says nothing of it any more. */
void kit_app_forget_text(struct weir_kit *kit, kit_app_t *app);

#endif
