/* SPDX-License-Identifier: MIT */
/* Steps of a change: domains. */
#include <stdio.h>

#include "alloc.h"
#include "change_inside.h"

enum { NOT_FOUND = 404, CONFLICT = 409, INVALID = 422, PATH_BYTES = KIT_ENTRY_BYTES + 16 };

/* As it is listed. False: a problem. */
static bool read_entry(kit_change_t *change, const char *entry, char text[static KIT_ENTRY_BYTES])
{
    const weir_span_t span = {entry, strlen(entry)};
    const char *problem = kit_domains_problem(span);

    if (problem != NULL)
        return kit_change_refuse(change, INVALID, "invalid-value", NULL, "`%s` is no domain: %s", entry, problem);
    kit_domain_text(span, text);
    return true;
}

static const char *name_of(const kit_app_t *app)
{
    return app == NULL ? NULL : app->name;
}

/* Where there was no edit when the change began, the table has what the configuration says. */
static const char *base_of(const kit_change_t *change, const char *entry)
{
    const kit_domain_edit_t *edit = kit_domain_edit_find(change->kit->instance, entry);
    const kit_touched_domain_t *touched = kit_keyed_find(&change->domain_table, entry);

    if (edit != NULL || touched != NULL)
        return edit != NULL ? edit->base : touched->base;
    return name_of(kit_domains_owner(change->kit->domains, (weir_span_t){entry, strlen(entry)}));
}

const char *kit_change_domain_owner(const kit_change_t *change, const char *entry)
{
    char text[KIT_ENTRY_BYTES];

    kit_domain_text((weir_span_t){entry, strlen(entry)}, text);
    const kit_domain_edit_t *edit = kit_domain_edit_find(change->kit->instance, text);
    const char *owner = edit != NULL ? edit->app : base_of(change, text);
    return owner != NULL && kit_change_has_app(change, owner) ? owner : NULL;
}

/* ---- all of an app ---- */

typedef struct search {
    const kit_change_t *change;
    const char *app; /* NULL: of every app */
    json_t *found;   /* a list; of every app: lists by their names */
} search_t;

static void look_at(void *context, weir_span_t entry, void *of)
{
    const search_t *it = context;
    const kit_app_t *app = of;
    json_t *list = it->found;

    if (it->app != NULL && strcmp(it->app, app->name) != 0)
        return;
    if (it->app == NULL && (list = json_object_get(it->found, app->name)) == NULL)
        json_object_set_new(it->found, app->name, list = json_array());
    json_array_append_new(list, json_stringn(entry.base, entry.len));
}

/* The first app is looked for alone; with the second one, all are, so that many apps take two looks at the table. */
static json_t *in_table(kit_change_t *change, const char *app)
{
    search_t it = {change, change->has_asked_domains ? NULL : app, NULL};

    if (change->domains_of == NULL) {
        it.found = it.app == NULL ? json_object() : json_array();
        kit_domains_each(change->kit->domains, look_at, &it);
        change->domains_of = it.app == NULL ? it.found : NULL;
    }
    change->has_asked_domains = true;
    return it.app != NULL ? it.found : json_incref(json_object_get(change->domains_of, app));
}

json_t *kit_change_domains_of(kit_change_t *change, const char *app)
{
    json_t *before = in_table(change, app), *still = json_array(), *one;
    size_t i;

    json_array_foreach(before, i, one)
    {
        const char *owner = kit_change_domain_owner(change, json_string_value(one));
        if (owner != NULL && strcmp(owner, app) == 0)
            json_array_append(still, one);
    }
    json_decref(before);
    return still;
}

/* ---- steps ---- */

static void tell(kit_change_t *change, const char *op, const char *entry, const char *before, const char *after)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/domains/%s", entry);
    kit_change_tell(change, op, path, before == NULL ? NULL : json_pack("{s:s}", "app", before),
                    after == NULL ? NULL : json_pack("{s:s}", "app", after));
}

static bool is_same(const char *one, const char *other)
{
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

static void put(kit_change_t *change, const char *op, const char *entry, const char *app)
{
    char *base = kit_copy(base_of(change, entry)), *before = kit_copy(kit_change_domain_owner(change, entry));

    kit_change_touch_domain(change, entry);
    if (is_same(app, base))
        kit_domain_edit_drop(change->kit->instance, entry);
    else
        (void)kit_domain_edit_put(change->kit->instance, entry, app, base);
    tell(change, op, entry, before, app);
    free(base);
    free(before);
}

bool kit_change_domain(kit_change_t *change, const char *entry, const char *app, bool may_take)
{
    char text[KIT_ENTRY_BYTES];
    const char *owner;

    if (!read_entry(change, entry, text))
        return false;
    if (kit_change_app(change, app) == NULL) {
        snprintf(change->problem.pointer, sizeof(change->problem.pointer), "/app");
        change->problem.status = INVALID;
        return false;
    }
    owner = kit_change_domain_owner(change, text);
    if (owner != NULL && strcmp(owner, app) != 0 && !may_take)
        return kit_change_refuse(change, CONFLICT, "domain-taken", NULL,
                                 "the domain %s belongs to the app %s; with If-Match it may be taken from there", text, owner);
    if (owner == NULL && !kit_domains_has_room(change->kit->domains, (weir_span_t){text, strlen(text)}))
        return kit_change_refuse(change, INVALID, "invalid-value", NULL, "one domain has at most %d paths", KIT_PREFIXES_MOST);
    put(change, "put", text, app);
    return true;
}

static bool is_unknown(kit_change_t *change, const char *entry)
{
    return kit_change_refuse(change, NOT_FOUND, "unknown-domain", NULL, "there is no domain %s", entry);
}

bool kit_change_domain_remove(kit_change_t *change, const char *entry)
{
    char text[KIT_ENTRY_BYTES];

    if (!read_entry(change, entry, text))
        return false;
    if (kit_change_domain_owner(change, text) == NULL)
        return is_unknown(change, text);
    put(change, "delete", text, NULL);
    return true;
}

bool kit_change_domain_revert(kit_change_t *change, const char *entry)
{
    char text[KIT_ENTRY_BYTES];

    if (!read_entry(change, entry, text))
        return false;
    if (kit_domain_edit_find(change->kit->instance, text) == NULL)
        return is_unknown(change, text);
    char *base = kit_copy(base_of(change, text));
    put(change, "revert", text, base);
    free(base);
    return true;
}
