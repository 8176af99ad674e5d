/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_STATE_READ_H
#define WEIR_KIT_STATE_READ_H
/**
 * @file  A state file (state_file.h) as it is found. Private to state_*.c.
 */
#include "state_file.h"

/** Reads it into the overlay. None there: nothing. False: a problem. Under the instance's lock. */
bool kit_state_read(const char *path, kit_instance_t *instance, kit_state_found_t *found);

#endif
