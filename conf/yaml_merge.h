/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_YAML_MERGE_H
#define WEIR_CONF_YAML_MERGE_H
/**
 * @file  A mapping while it is read: its own entries and those that `<<` brings, in the order of the file.
 */
#include "weir_types.h"
#include "yoml.h"

typedef struct conf_entry {
    yoml_t *key, *value;
    size_t order;   /* of two that `<<` brings the earlier one wins */
    bool is_merged; /* came by `<<`: it may be overruled   */
    bool is_overruled;
} conf_entry_t;

/** Zeroed, it is empty. Holds one reference to each node in it. */
typedef struct conf_entries {
    conf_entry_t *at;
    size_t count, capacity;
} conf_entries_t;

/** Adds an entry and takes over its references. */
void conf_entries_add(conf_entries_t *entries, yoml_t *key, yoml_t *value, bool is_merged);

/** Adds what `source`, a mapping or a list of mappings, brings; shares its nodes. False if it is neither. */
bool conf_entries_merge(conf_entries_t *entries, yoml_t *source);

/**
 * Marks the entries that `<<` has brought and others overrule. Keys that are written more than once all stay, as h2o has it;
 * unless they are directives that add up, twice(earlier, later, arg) is called with each two of them.
 */
void conf_entries_settle(conf_entries_t *entries, void (*twice)(const yoml_t *earlier, const yoml_t *later, void *arg),
                         void *arg);

/** Gives every reference up and leaves it empty. */
void conf_entries_finish(conf_entries_t *entries);

#endif
