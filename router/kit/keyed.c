/* SPDX-License-Identifier: MIT */
#include "keyed.h"

#include "alloc.h"
#include "weir_digest.h"

enum { CHAINS_FIRST = 16 };

static kit_keyed_t **chain_of(const kit_keyed_table_t *table, const char *key)
{
    static const uint64_t secret[2] = {0x6b6974, 0x6f76}; /* operators name things: nobody aims */

    return &table->chains[weir_siphash(secret, (weir_span_t){key, strlen(key)}) % table->chain_count];
}

void *kit_keyed_find(const kit_keyed_table_t *table, const char *key)
{
    kit_keyed_t *record = table->count == 0 ? NULL : *chain_of(table, key);

    while (record != NULL && strcmp(record->key, key) != 0)
        record = record->next;
    return record;
}

static void put(kit_keyed_table_t *table, kit_keyed_t *record)
{
    kit_keyed_t **chain = chain_of(table, record->key);

    record->next = *chain;
    *chain = record;
}

static void grow(kit_keyed_table_t *table)
{
    void **all = kit_keyed_all(table);

    free(table->chains);
    table->chain_count = table->chain_count == 0 ? CHAINS_FIRST : table->chain_count * 2;
    table->chains = kit_alloc(table->chain_count, sizeof(kit_keyed_t *));
    for (size_t i = 0; i < table->count; i++)
        if (all[i] != NULL) /* always */
            put(table, all[i]);
    free(all);
}

void kit_keyed_add(kit_keyed_table_t *table, kit_keyed_t *record)
{
    if (table->count >= table->chain_count)
        grow(table);
    put(table, record);
    table->count++;
}

void kit_keyed_remove(kit_keyed_table_t *table, kit_keyed_t *record)
{
    kit_keyed_t **at = chain_of(table, record->key);

    while (*at != record)
        at = &(*at)->next;
    *at = record->next;
    table->count--;
}

void **kit_keyed_all(const kit_keyed_table_t *table)
{
    void **all = kit_alloc(table->count, sizeof(all[0]));
    size_t count = 0;

    for (size_t i = 0; i < table->chain_count; i++)
        for (kit_keyed_t *record = table->chains[i]; record != NULL; record = record->next)
            all[count++] = record;
    return all;
}

void kit_keyed_finish(kit_keyed_table_t *table)
{
    free(table->chains);
    *table = (kit_keyed_table_t){NULL, 0, 0};
}
