/* SPDX-License-Identifier: MIT */
#include "wanted.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

typedef struct kit_wanted {
    kit_keyed_t keyed;
    char *app;
    char entry[];
} kit_wanted_t;

static void drop(kit_keyed_table_t *table, kit_wanted_t *wanted)
{
    kit_keyed_remove(table, &wanted->keyed);
    free(wanted->app);
    free(wanted);
}

void kit_wanted_note(kit_keyed_table_t *table, const char *entry, const char *app)
{
    kit_wanted_t *wanted = kit_keyed_find(table, entry);

    if (wanted != NULL && strcmp(wanted->app, app) == 0)
        return;
    if (wanted != NULL)
        drop(table, wanted);
    wanted = kit_alloc(1, sizeof(*wanted) + strlen(entry) + 1);
    memcpy(wanted->entry, entry, strlen(entry) + 1);
    wanted->keyed.key = wanted->entry;
    wanted->app = kit_copy(app);
    kit_keyed_add(table, &wanted->keyed);
}

const char *kit_wanted_by(const kit_keyed_table_t *table, const char *entry)
{
    const kit_wanted_t *wanted = table->count == 0 ? NULL : kit_keyed_find(table, entry);

    return wanted == NULL ? NULL : wanted->app;
}

void kit_wanted_drop(kit_keyed_table_t *table, const char *entry, const char *app)
{
    kit_wanted_t *wanted = table->count == 0 ? NULL : kit_keyed_find(table, entry);

    if (wanted != NULL && strcmp(wanted->app, app) == 0)
        drop(table, wanted);
}

void kit_wanted_finish(kit_keyed_table_t *table)
{
    void **all = kit_keyed_all(table);
    const size_t count = table->count;

    for (size_t i = 0; i < count; i++)
        drop(table, all[i]);
    free(all);
    kit_keyed_finish(table);
}
