/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_KEYED_H
#define WEIR_KIT_KEYED_H
/**
 * @file  Records by their names, in a table that grows with them.
 *
 * OWNER    Records are the caller's: a kit_keyed_t is their first member, and the key lives as long as they do.
 * THREAD   The caller's.
 */
#include <stddef.h>

typedef struct kit_keyed {
    struct kit_keyed *next;
    const char *key;
} kit_keyed_t;

/** Zeroed, it is empty. */
typedef struct kit_keyed_table {
    kit_keyed_t **chains; /* by the hash of their keys */
    size_t chain_count, count;
} kit_keyed_table_t;

/** The record of that key; NULL: there is none. */
void *kit_keyed_find(const kit_keyed_table_t *table, const char *key);
/** Its key is not there yet. */
void kit_keyed_add(kit_keyed_table_t *table, kit_keyed_t *record);
/** It is there. */
void kit_keyed_remove(kit_keyed_table_t *table, kit_keyed_t *record);
/** All records, in no order that tells anything; the caller frees it. `count` of them. */
void **kit_keyed_all(const kit_keyed_table_t *table);
/** Frees the table, not its records. */
void kit_keyed_finish(kit_keyed_table_t *table);

#endif
