/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_REST_H
#define WEIR_KIT_REST_H
/**
 * @file  What was made when an app was used is given back when nobody has wanted anything of it for ten minutes: its activity,
 * its queue, its members' records, and their troubles once they are over.
 *
 * THREAD   The ticks', under the instance's lock.
 */
#include "instance.h"

/** The set is idle, so ticks visit it no more: ten minutes from its last request it has rested enough. */
void kit_rest_begin(weir_set_t *set);
/** It is used again, or goes. Harmless if it does not rest. */
void kit_rest_end(weir_set_t *set);
/** Gives back what those have that have rested enough. */
void kit_rest_tick(kit_instance_t *instance, uint64_t now_us);

#endif
