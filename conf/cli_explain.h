/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CLI_EXPLAIN_H
#define WEIR_CONF_CLI_EXPLAIN_H
/**
 * @file  The command `weir explain`: what would become of a request, and what has become of one.
 */
#include <stdbool.h>

/** Runs it, if `argv` names it; *out_status is what to exit with. False: it does not. */
bool conf_cli_explain(int argc, char **argv, int *out_status);

/** Its lines of `weir help`. */
extern const char conf_cli_explain_help[];

#endif
