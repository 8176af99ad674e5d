/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_SUGGEST_H
#define WEIR_CONF_SUGGEST_H
/**
 * @file  What somebody probably meant to write.
 */
#include <stddef.h>

/** How many letters must be added, removed, replaced or swapped with their neighbour; both have at most 63, else SIZE_MAX. */
size_t conf_distance(const char *a, const char *b);

/** The command of an h2o_globalconf_t (`globalconf`) that is close to `unknown`, or NULL. */
const char *conf_suggest_command(const char *unknown, void *globalconf);

#endif
