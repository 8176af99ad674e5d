/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PUBLISH_KEYS_H
#define WEIR_CONF_PUBLISH_KEYS_H
/**
 * @file  Keys and values of a store or of a document, and what the one has to change to become the other.
 *
 * OWNER    A command of a publisher (cli_publish.c).
 * THREAD   One.
 */
#include <stdbool.h>
#include <stdio.h>

#include "lib/state/table.h"

/** Strings with a NUL behind them. The key is as state_said_t has it: without the prefix. */
typedef struct conf_publish_key {
    char *key, *value;
    size_t key_length, value_length;
    bool has_lease;
} conf_publish_key_t;

/** Zeroed, there are none. */
typedef struct conf_publish_keys {
    conf_publish_key_t *at;
    size_t count, room;
} conf_publish_keys_t;

void conf_publish_keys_add(conf_publish_keys_t *keys, weir_span_t key, weir_span_t value, bool has_lease);
/** In the order of their bytes, as the store has them. */
void conf_publish_keys_sort(conf_publish_keys_t *keys);
void conf_publish_keys_free(conf_publish_keys_t *keys);

/** The kind that a key is of; STATE_KINDS: of none that is known. */
state_kind_t conf_publish_kind(const char *key);

/** One of the two may be NULL: what is new, and what goes. Borrowed from the keys. */
typedef struct conf_publish_change {
    const conf_publish_key_t *before, *after;
    size_t place; /* for those that are alike in all else */
} conf_publish_change_t;

/** Zeroed, there are none. */
typedef struct conf_publish_changes {
    conf_publish_change_t *at;
    size_t count, room;
} conf_publish_changes_t;

void conf_publish_changes_add(conf_publish_changes_t *changes, const conf_publish_key_t *before,
                              const conf_publish_key_t *after);
/**
 * What makes `before` say what `after` does; both are sorted. Keys of the kinds in `removed` (a bit each) that only `before`
 * has go, unless they are under a lease: whoever keeps that knows. Values that routers read alike do not differ.
 */
void conf_publish_compare(const conf_publish_keys_t *before, const conf_publish_keys_t *after, unsigned removed,
                          conf_publish_changes_t *out);
/** An order of which each beginning is right by itself: apps before their backends and domains, and the other way round. */
void conf_publish_changes_sort(conf_publish_changes_t *changes);
void conf_publish_changes_free(conf_publish_changes_t *changes);

/** "+ key value", "- key", "~ key: old -> new", a line each. */
void conf_publish_changes_print(const conf_publish_changes_t *changes, FILE *to);

#endif
