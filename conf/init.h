/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_INIT_H
#define WEIR_CONF_INIT_H
/**
 * @file  What process 1 owes the others, as the first of a container: it buries orphans, and its end is everybody's.
 *
 *   process 1: signals ─► proxy, the dead ─► buried; the proxy's end ─► log commands have 2 s ─► the same exit status
 *     └─ proxy: as anywhere else
 *
 * THREAD   The only one.
 */
#include <stdbool.h>

/**
 * If this is process 1, makes another that goes on in its place, and becomes what looks after it: returns in that other one
 * only. Otherwise returns at once. Before there are threads and children.
 */
void conf_init_begin(void);

/** Whether process 1 is ours, and ends with the proxy. */
bool conf_init_is_there(void);

#endif
