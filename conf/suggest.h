/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_SUGGEST_H
#define WEIR_CONF_SUGGEST_H
/**
 * @file  What somebody probably meant to write.
 */
/** The command of an h2o_globalconf_t (`globalconf`) that is close to `unknown`, or NULL. */
const char *conf_suggest_command(const char *unknown, void *globalconf);

#endif
