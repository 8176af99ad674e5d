/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CLI_PUBLISH_H
#define WEIR_CONF_CLI_PUBLISH_H
/**
 * @file  The commands of a publisher, who writes what proxies follow: `weir state put`, delete, import, export, diff.
 */
#include <stdbool.h>

/** Runs the command, if `argv` names one of these; *out_status is what to exit with. False: it does not. */
bool conf_cli_publish(int argc, char **argv, int *out_status);

/** Their lines of `weir help`. */
extern const char conf_cli_publish_help[];

#endif
