/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_COMPLETION_H
#define WEIR_CONF_COMPLETION_H
/**
 * @file  What a shell may put in for a word that is half written: `weir completion bash` prints what teaches it, and that asks
 * `weir complete WORD…`, the words of the line behind `weir` up to the cursor.
 *
 * Names of apps, backends, domains and routers come from the process that runs, if it answers within 300 ms; else there are
 * none.
 */
#include <stdbool.h>

/** Runs either command, if it is one of these; *out_status is what to exit with. False: it is none of them. */
bool conf_completion(int argc, char **argv, int *out_status);

/** Its line of `weir help`. */
extern const char conf_completion_help[];

#endif
