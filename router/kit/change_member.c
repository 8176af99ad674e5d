/* SPDX-License-Identifier: MIT */
/* Steps of a change: backends. */
#include <stdio.h>

#include "alloc.h"
#include "change_inside.h"
#include "config.h"

enum { WEIGHT = 100 /* where nothing is said */, NOT_FOUND = 404, INVALID = 422, PATH_BYTES = 1024 };

/* What documents show, and nobody can set. */
static const char *const shown[] = {"health",   "because", "since",       "until",        "in_flight", "waiting", "tunnels",
                                    "handicap", "head_ms", "answers_10s", "failures_10s", "probe",     "app",     NULL};

/* Documents say max_requests, configurations max-requests; and what is shown only may be given back. */
json_t *kit_change_respelled(const json_t *document)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)document), *value = json_object_get(copy, "max_requests");

    if (value != NULL)
        json_object_set(copy, "max-requests", value);
    json_object_del(copy, "max_requests");
    for (size_t i = 0; shown[i] != NULL; i++)
        json_object_del(copy, shown[i]);
    return copy;
}

void kit_change_merge(json_t *patch, const json_t *more)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)more, key, value)
    {
        if (json_is_null(value))
            json_object_del(patch, key);
        else
            json_object_set(patch, key, value);
    }
}

/* What it says itself, and of all else what holds where nothing is said: also where the configuration says something. */
static json_t *whole(void)
{
    return json_pack("{s:i, s:i, s:i, s:s, s:{}, s:n}", "weight", WEIGHT, "tier", 0, "max-requests", 0, "state", "up", "labels",
                     "zone");
}

static bool is_then(kit_change_t *change, const json_t *then)
{
    const char *what = json_string_value(json_object_get(then, "do"));

    if (then == NULL || json_is_null(then))
        return true;
    if (json_is_integer(json_object_get(then, "at_ms")) && what != NULL &&
        (strcmp(what, "off") == 0 || strcmp(what, "up") == 0 || strcmp(what, "remove") == 0 || strcmp(what, "cut") == 0))
        return true;
    return kit_change_refuse(change, INVALID, "invalid-value", "/then",
                             "`then` is {\"at_ms\": …, \"do\": …}: off, up, remove or cut, in milliseconds since 1970");
}

/* A backend of these words, to be freed; NULL: there can be none, which the problem says. */
static kit_wanted_t *read_possible(kit_change_t *change, const kit_app_t *app, const json_t *base, const json_t *patch)
{
    json_t *document = kit_edit_document(base, patch);
    char problem[KIT_PROBLEM_BYTES];
    kit_wanted_t *wanted = kit_alloc(1, sizeof(*wanted));
    bool is_fine = kit_wanted_of_json(document, wanted, problem, sizeof(problem));

    if (is_fine && wanted->place.is_https && app->manner->tls == NULL) {
        snprintf(problem, sizeof(problem), "the app speaks no TLS with its backends, so none can be added that needs it");
        is_fine = false;
    }
    if (is_fine && base == NULL && kit_document_is_of_worker(document)) {
        snprintf(problem, sizeof(problem), "`worker:` is the place of one that has dialled in, and of nobody else");
        is_fine = false;
    }
    if (is_fine && wanted->is_name) {
        snprintf(problem, sizeof(problem), "`dns:` stands in configurations only");
        is_fine = false;
    }
    json_decref(document);
    if (is_fine)
        return wanted;
    kit_wanted_free(wanted);
    free(wanted);
    (void)kit_change_refuse(change, INVALID, "invalid-value", NULL, "%s", problem);
    return NULL;
}

/* Only what is another value; a whole one where there is nothing on the other side. */
static json_t *different(const json_t *one, const json_t *other)
{
    json_t *result = json_object(), *value;
    const char *key;

    if (one == NULL || other == NULL) {
        json_decref(result);
        return one == NULL ? NULL : json_deep_copy(one);
    }
    json_object_foreach((json_t *)(uintptr_t)one, key, value) if (!json_equal(value, json_object_get(other, key)))
        json_object_set(result, key, value);
    return result;
}

static void tell(kit_change_t *change, const char *op, const char *app, const char *id, const json_t *before, json_t *after)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/apps/%s/backends/%s", app, id);
    kit_change_tell(change, op, path, different(before, after), different(after, before));
    json_decref(after);
}

bool kit_change_member(kit_change_t *change, const char *app, const char *id, const json_t *document, bool is_whole)
{
    kit_app_t *found = kit_change_app(change, app);
    struct kit_overlay *overlay;
    json_t *spelled, *patch, *base, *before;
    kit_wanted_t *wanted;

    if (found == NULL || !is_then(change, json_object_get(document, "then")))
        return false;
    overlay = kit_change_touch(change, app);
    const kit_edit_t *edit = kit_overlay_edit(overlay, id);
    const bool begins_anew = edit == NULL || edit->patch == NULL;
    spelled = kit_change_respelled(document);
    patch = is_whole ? whole() : begins_anew ? json_object() : json_copy(edit->patch);
    kit_change_merge(patch, spelled);
    json_decref(spelled);
    json_object_set_new(patch, "id", json_string(id));
    if (json_object_get(document, "state") != NULL && json_object_get(document, "then") == NULL)
        json_object_del(patch, "then"); /* of the state before */
    base = kit_configured_member(found, id);
    wanted = read_possible(change, found, base, patch);
    if (wanted == NULL) {
        json_decref(base);
        json_decref(patch);
        return false;
    }
    before = kit_overlay_member(found, overlay, id);
    kit_overlay_put(overlay, id, base, patch)->read = wanted;
    tell(change, is_whole ? "put" : "patch", app, id, before, kit_overlay_member(found, overlay, id));
    json_decref(before);
    return true;
}

static bool is_unknown(kit_change_t *change, const char *app, const char *id)
{
    return kit_change_refuse(change, NOT_FOUND, "unknown-backend", NULL, "the app %s has no backend %s", app, id);
}

bool kit_change_member_remove(kit_change_t *change, const char *app, const char *id)
{
    kit_app_t *found = kit_change_app(change, app);
    struct kit_overlay *overlay;
    json_t *base, *before;

    if (found == NULL)
        return false;
    overlay = kit_change_touch(change, app);
    before = kit_overlay_member(found, overlay, id);
    if (before == NULL)
        return is_unknown(change, app, id);
    base = kit_configured_member(found, id);
    if (base == NULL)
        kit_overlay_drop(overlay, id);
    else
        kit_overlay_put(overlay, id, base, NULL);
    tell(change, "delete", app, id, before, NULL);
    json_decref(before);
    return true;
}

bool kit_change_member_revert(kit_change_t *change, const char *app, const char *id)
{
    kit_app_t *found = kit_change_app(change, app);
    struct kit_overlay *overlay;
    json_t *before;

    if (found == NULL)
        return false;
    overlay = kit_change_touch(change, app);
    before = kit_overlay_member(found, overlay, id);
    if (before == NULL && kit_overlay_edit(overlay, id) == NULL)
        return is_unknown(change, app, id);
    kit_overlay_drop(overlay, id);
    tell(change, "revert", app, id, before, kit_configured_member(found, id));
    json_decref(before);
    return true;
}
