/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_H
#define WEIR_CONF_TOP_H
/**
 * @file  `weir top`: how a process that runs fares, each second anew.
 *
 *   top.c ── GET /v1/top ──► two documents ─► top_model.c ─► top_screen.c ─► top_page.c ─► the terminal
 *
 * Where standard output is no terminal, or with `--json`, it is one document a line.
 */
#include <stdbool.h>

typedef struct conf_top_wish {
    const char *socket;
    const char *interval; /* "2", "0.5", "500ms"; NULL: a second */
    bool is_json, is_once;
} conf_top_wish_t;

/** Returns what to exit with. */
int conf_top_run(const conf_top_wish_t *wish);

#endif
