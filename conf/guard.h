/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_GUARD_H
#define WEIR_CONF_GUARD_H
/**
 * @file  What stands between a document and each directive.
 *
 * libh2o reads its numbers by sscanf(): what is behind the digits is passed over, -1 is a large number, and some are multiplied
 * in 32 bits. Here each of them has a range, and may be written with a unit. And a directive that fails does not keep those
 * behind it from being read: all that is wrong is told in one go.
 */
#include "conf/snapshot.h"

/** Steps in front of every directive that is registered by now; to be called once, last. */
void conf_guard_put(conf_t *conf);

#endif
