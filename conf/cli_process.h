/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CLI_PROCESS_H
#define WEIR_CONF_CLI_PROCESS_H
/**
 * @file  The commands about a process that runs as a whole: `weir reload`, `weir certificates` …
 */
#include <stdbool.h>

/** Runs the command that `argv` names, if it is one of these; *out_status is what to exit with. False: it is none of them. */
bool conf_cli_process(int argc, char **argv, int *out_status);

/** Their lines of `weir help`. */
extern const char conf_cli_process_help[];

#endif
