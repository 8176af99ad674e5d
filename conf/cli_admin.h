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
/**
 * Finds the endpoint, if *socket is NULL: the one of `file`, or the usual one. *out_owned (NULL: nothing) is to be freed. An
 * exit status: EXIT_USAGE after a complaint.
 */
int conf_cli_find_socket(const char **socket, const char *file, char **out_owned);

/** An option that has a value, and where that goes. */
typedef struct conf_cli_option {
    const char *name;
    const char **value;
} conf_cli_option_t;
/** Where the value of the option `name` goes: one of these (NULL ends them), or of those that say who calls. NULL: none. */
const char **conf_cli_option(const conf_cli_option_t *options, const char *name);

enum { CONF_CLI_TARGET_BYTES = 4096 };
/** Adds "/word", percent-encoded; what does not fit is left out. */
void conf_cli_add_segment(char target[CONF_CLI_TARGET_BYTES], const char *word);

#endif
