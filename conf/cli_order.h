/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_CLI_ORDER_H
#define WEIR_CONF_CLI_ORDER_H
/**
 * @file  A command that speaks with a process that runs, as its arguments say. Private to cli_*.c.
 */
#include <stdbool.h>

#include <jansson.h>

#include "conf/cli_admin.h"

enum { CONF_WORDS_MOST = 4, CONF_TARGET_BYTES = CONF_CLI_TARGET_BYTES, CONF_FAILED_FROM = 400 };

/** What the arguments come to. */
typedef struct order {
    const char *verb, *words[CONF_WORDS_MOST];
    int word_count;
    const char *socket, *file, *router;
    const char *id, *weight, *tier, *zone, *max_requests, *max, *spread, *interval, *drain, *ramp;
    const char *save, *after; /* of `state`, of `watch` */
    bool is_json, is_once, waits, takes, cuts;
} order_t;

/** "/v1/…" with these segments (NULL at the end) behind the router's, percent-encoded. */
void conf_order_target(const order_t *order, char target[CONF_TARGET_BYTES], const char *const *segments);
/** Returns an exit status; with EXIT_FINE the document is the caller's. */
int conf_order_call(const order_t *order, const char *method, const char *target, const json_t *body, json_t **out_document);
/** The same, and prints what comes of it: as a document if it is to be, else by `print` (NULL: nothing). */
int conf_order_call_and_print(const order_t *order, const char *method, const char *const *segments, const json_t *body,
                              void (*print)(const json_t *document));
/** "weir: …" on standard error; EXIT_USAGE. */
int conf_order_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** cli_change.c */
int conf_run_domains(const order_t *order);
int conf_run_domain(const order_t *order);
int conf_run_apply(const order_t *order);
int conf_run_dump(const order_t *order);
int conf_run_revert(const order_t *order);
int conf_run_watch(const order_t *order);

/** cli_state.c */
int conf_run_state(const order_t *order);

#endif
