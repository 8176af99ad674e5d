/* SPDX-License-Identifier: MIT */
/* All apps at once, and one step of a list of changes. */
#include <stdio.h>

#include "alloc.h"
#include "asked.h"
#include "document.h"
#include "weir_span.h"

enum { SEGMENT_BYTES = 256 };

/* ---- one step ---- */

/* "/apps/shop/backends/web-1", taken apart. */
typedef struct path {
    char app[SEGMENT_BYTES], id[KIT_ENTRY_BYTES];
    bool is_backend;
} path_t;

static bool refuse_path(kit_change_t *change)
{
    return kit_change_refuse(change, KIT_INVALID, "invalid-value", "/path",
                             "a path is /apps/APP, /apps/APP/backends/ID or /domains/DOMAIN");
}

static bool read_path(kit_change_t *change, const char *text, path_t *out)
{
    static const char apps[] = "/apps/", backends[] = "/backends/";
    const char *app = text + sizeof(apps) - 1, *slash, *id;

    if (strncmp(text, apps, sizeof(apps) - 1) != 0)
        return refuse_path(change);
    slash = strchr(app, '/');
    const size_t length = slash == NULL ? strlen(app) : (size_t)(slash - app);
    if (length == 0 || length >= SEGMENT_BYTES)
        return refuse_path(change);
    memcpy(out->app, app, length);
    out->app[length] = '\0';
    out->is_backend = slash != NULL;
    if (slash == NULL)
        return true;
    id = slash + sizeof(backends) - 1;
    if (strncmp(slash, backends, sizeof(backends) - 1) != 0 || *id == '\0' || strlen(id) >= SEGMENT_BYTES)
        return refuse_path(change);
    snprintf(out->id, sizeof(out->id), "%s", id);
    return true;
}

static bool has_backend(const kit_change_t *change, const kit_app_t *app, const path_t *path)
{
    json_t *document = kit_overlay_member(app, kit_overlay_find(change->kit->instance, path->app), path->id);

    json_decref(document);
    return document != NULL;
}

static bool refuse_op(kit_change_t *change)
{
    return kit_change_refuse(change, KIT_INVALID, "invalid-value", "/op", "`op` is put, patch, delete or revert");
}

static bool step_of_backend(kit_change_t *change, const char *op, const path_t *path, const json_t *value)
{
    kit_app_t *app = kit_change_app(change, path->app);

    if (app == NULL)
        return false;
    if (strcmp(op, "put") == 0)
        return kit_change_member(change, path->app, path->id, value, true);
    if (strcmp(op, "delete") == 0)
        return kit_change_member_remove(change, path->app, path->id);
    if (strcmp(op, "revert") == 0)
        return kit_change_member_revert(change, path->app, path->id);
    if (strcmp(op, "patch") != 0)
        return refuse_op(change);
    if (!has_backend(change, app, path))
        return kit_change_refuse(change, KIT_NOT_FOUND, "unknown-backend", NULL, "the app %s has no backend %s", path->app,
                                 path->id);
    return kit_change_member(change, path->app, path->id, value, false);
}

static bool step_of_app(kit_change_t *change, const char *op, const path_t *path, const json_t *value)
{
    if (strcmp(op, "put") == 0)
        return kit_change_app_put(change, path->app, value);
    if (strcmp(op, "delete") == 0)
        return kit_change_app_remove(change, path->app);
    if (strcmp(op, "revert") == 0)
        return kit_change_app_revert(change, path->app);
    return strcmp(op, "patch") == 0 ? kit_change_settings(change, path->app, value) : refuse_op(change);
}

static bool step_of_domain(kit_change_t *change, const char *op, const char *entry, const json_t *step)
{
    const char *app = json_string_value(json_object_get(json_object_get(step, "value"), "app"));

    if (strcmp(op, "delete") == 0)
        return kit_change_domain_remove(change, entry);
    if (strcmp(op, "revert") == 0)
        return kit_change_domain_revert(change, entry);
    if (strcmp(op, "put") != 0)
        return kit_change_refuse(change, KIT_INVALID, "invalid-value", "/op", "of a domain `op` is put, delete or revert");
    if (app == NULL)
        return kit_change_refuse(change, KIT_INVALID, "invalid-value", "/app", "a domain needs `app`, whose it is");
    return kit_change_domain(change, entry, app, json_object_get(step, "if_match") != NULL);
}

/* `if_match` of a step is that of its app, or its domain, before all of them. */
static bool holds(kit_change_t *change, const json_t *step, const char *what, uint64_t seq)
{
    const char *match = json_string_value(json_object_get(step, "if_match"));
    const weir_span_t wanted = {match, match == NULL ? 0 : strlen(match)};

    return kit_change_may(change, what, seq, true, wanted, (weir_span_t){NULL, 0});
}

bool kit_asked_step(kit_change_t *change, const json_t *step)
{
    static const char domains[] = "/domains/";
    const char *op = json_string_value(json_object_get(step, "op")), *text = json_string_value(json_object_get(step, "path"));
    const json_t *value = json_object_get(step, "value");
    path_t path = {.is_backend = false};

    if (op == NULL || text == NULL)
        return kit_change_refuse(change, KIT_INVALID, "invalid-value", NULL, "a change has `op` and `path`");
    if ((strcmp(op, "put") == 0 || strcmp(op, "patch") == 0) && !json_is_object(value))
        return kit_change_refuse(change, KIT_INVALID, "invalid-value", NULL, "`value` must be an object");
    if (strncmp(text, domains, sizeof(domains) - 1) == 0) {
        const kit_domain_edit_t *edit = kit_domain_edit_find(change->kit->instance, text + sizeof(domains) - 1);
        return holds(change, step, text, edit == NULL ? 0 : edit->seq) &&
               step_of_domain(change, op, text + sizeof(domains) - 1, step);
    }
    if (!read_path(change, text, &path))
        return false;
    const struct kit_overlay *overlay = kit_overlay_find(change->kit->instance, path.app);
    return holds(change, step, text, overlay == NULL ? 0 : overlay->seq) &&
           (path.is_backend ? step_of_backend(change, op, &path, value) : step_of_app(change, op, &path, value));
}

/* ---- all of it ---- */

static bool answer_state(const kit_asked_t *asked)
{
    static const kit_page_t all = {0};
    json_t *list = kit_document_of_apps(asked->kit, &all, NULL);

    return kit_asked_answer(asked, KIT_OK, json_pack("{s:I, s:o}", "seq", (json_int_t)asked->kit->instance->seq, "apps", list));
}

static json_t *names_of(const json_t *list)
{
    json_t *names = json_object(), *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "app"));
        if (name != NULL)
            json_object_set_new(names, name, json_true());
    }
    return names;
}

/* First those go that are not wanted, for their domains may be others' then. */
static bool remove_others(kit_change_t *change, const json_t *list)
{
    const kit_apps_t *apps = kit_apps(change->kit);
    json_t *wanted = names_of(list);
    bool is_fine = true;

    for (size_t i = 0; is_fine && i < apps->count; i++)
        if (!atomic_load(&apps->at[i]->is_gone) && json_object_get(wanted, apps->at[i]->name) == NULL)
            is_fine = kit_change_app_remove(change, apps->at[i]->name);
    json_decref(wanted);
    return is_fine;
}

static bool put_state(kit_change_t *change, const json_t *list)
{
    const json_t *one;
    size_t i;

    if (!json_is_array(list))
        return kit_change_refuse(change, KIT_INVALID, "invalid-value", "/apps", "a state has `apps`, a list");
    if (!remove_others(change, list))
        return false;
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "app"));
        if (name != NULL && kit_change_app_put(change, name, one))
            continue;
        if (name == NULL)
            (void)kit_change_refuse(change, KIT_INVALID, "invalid-value", NULL, "an app has a name: `app`");
        snprintf(change->problem.pointer, sizeof(change->problem.pointer), "/apps/%zu", i);
        return false;
    }
    return true;
}

bool kit_asked_state(kit_asked_t *asked)
{
    kit_change_t *change;

    if (weir_admin_segment(asked->call, 1).base != NULL)
        return false;
    if (kit_asked_has_method(asked, "GET"))
        return answer_state(asked);
    if (!kit_asked_has_method(asked, "PUT"))
        return kit_asked_refuse_method(asked, "GET, PUT");
    if (!kit_asked_has_object(asked))
        return true;
    change = kit_asked_begin(asked);
    return !kit_asked_end(asked, put_state(change, json_object_get(asked->body, "apps"))) || answer_state(asked);
}
