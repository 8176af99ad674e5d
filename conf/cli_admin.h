/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CLI_ADMIN_H
#define WEIR_CONF_CLI_ADMIN_H
/**
 * @file  The commands that speak with a process that runs: `weir apps`, `weir drain shop web-1` …
 */
#include <stdbool.h>

/** Runs the command that `argv` names, if it is one of these; *out_status is what to exit with. False: it is none of them. */
bool conf_cli_admin(int argc, char **argv, int *out_status);

/** Their lines of `weir help`. */
extern const char conf_cli_admin_help[];

/** Where the endpoint is if nothing is said: WEIR_ADMIN, or the usual socket. */
const char *conf_cli_usual_socket(void);
/** The path of weir.admin in a configuration; to be freed. NULL after a complaint. */
char *conf_cli_socket_of(const char *file);

#endif
