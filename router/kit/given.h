/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_GIVEN_H
#define WEIR_KIT_GIVEN_H
/**
 * @file  Apps that sources of state give (weir_state.h), beside those of the configuration. Who wins an app, or a domain:
 *
 *   what operators have changed  ►  the configuration  ►  sources of state  ►  what workers have come with
 *
 * An app that the configuration has, or operators have made, is refused. A domain that one of theirs has stays theirs; the app
 * has all its others, and is offered again when something changes.
 *
 * An app that is gone is found no more, its backends are let go, and requests that found it end as they would have.
 *
 * OWNER    The configuration, as kit_own_t (own.h).
 * THREAD   weir_kit_state(): of ticks, or before the configuration is in force any one.
 */
#include "own.h"
#include "weir_state.h"

/** An operator takes back that it is gone: it has its domains again. */
void kit_given_return(struct weir_kit *kit, kit_app_t *app);

/**
 * What the text of an app that sleeps (asleep.h) says, with its domains, and without the router's part. Never NULL; to be given
 * to kit_own_discard(). Any thread, as long as the text stays.
 */
kit_own_t *kit_given_read_again(const struct weir_kit *kit, const kit_app_t *app);

#endif
