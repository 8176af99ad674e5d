/* SPDX-License-Identifier: MIT */
#include "wanted.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

typedef struct kit_wish {
    kit_keyed_t keyed;
    char *app;
    char entry[];
} kit_wish_t;

static void drop(kit_keyed_table_t *wanted, kit_wish_t *wish)
{
    kit_keyed_remove(wanted, &wish->keyed);
    free(wish->app);
    free(wish);
}

void kit_wanted_note(kit_keyed_table_t *wanted, const char *entry, const char *app)
{
    kit_wish_t *wish = kit_keyed_find(wanted, entry);

    if (wish != NULL && strcmp(wish->app, app) == 0)
        return;
    if (wish != NULL)
        drop(wanted, wish);
    wish = kit_alloc(1, sizeof(*wish) + strlen(entry) + 1);
    memcpy(wish->entry, entry, strlen(entry) + 1);
    wish->keyed.key = wish->entry;
    wish->app = kit_copy(app);
    kit_keyed_add(wanted, &wish->keyed);
}

const char *kit_wanted_by(const kit_keyed_table_t *wanted, const char *entry)
{
    const kit_wish_t *wish = kit_keyed_find(wanted, entry);

    return wish == NULL ? NULL : wish->app;
}

void kit_wanted_drop(kit_keyed_table_t *wanted, const char *entry, const char *app)
{
    kit_wish_t *wish = kit_keyed_find(wanted, entry);

    if (wish != NULL && strcmp(wish->app, app) == 0)
        drop(wanted, wish);
}

void kit_wanted_finish(kit_keyed_table_t *wanted)
{
    void **all = kit_keyed_all(wanted);
    const size_t count = wanted->count;

    for (size_t i = 0; i < count; i++)
        drop(wanted, all[i]);
    free(all);
    kit_keyed_finish(wanted);
}
