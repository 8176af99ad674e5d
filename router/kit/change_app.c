/* SPDX-License-Identifier: MIT */
/* Steps of a change: apps. */
#include <stdio.h>

#include "alloc.h"
#include "asleep.h"
#include "change_inside.h"
#include "config.h"
#include "document.h"
#include "names.h"

enum { INVALID = 422, NAME_MOST = 255, PATH_BYTES = NAME_MOST + 16 };

static void tell(kit_change_t *change, const char *op, const char *app, json_t *before, json_t *after)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/apps/%s", app);
    kit_change_tell(change, op, path, before, after);
}

/* ---- settings ---- */

bool kit_change_settings(kit_change_t *change, const char *app, const json_t *document)
{
    const json_t *more = json_object_get(document, "settings");
    kit_app_t *found = kit_change_app(change, app);
    char problem[KIT_PROBLEM_BYTES];
    struct kit_overlay *overlay;

    if (found == NULL)
        return false;
    if (!json_is_object(more))
        return kit_change_refuse(change, INVALID, "invalid-value", "/settings", "of an app `settings` can be changed");
    overlay = kit_change_touch(change, app);
    json_t *patch = overlay->settings == NULL ? json_object() : json_deep_copy(overlay->settings);
    kit_change_merge(patch, more);
    kit_settings_t *settings = kit_settings_patched(found->settings, patch, problem, sizeof(problem));
    if (settings == NULL) {
        json_decref(patch);
        return kit_change_refuse(change, INVALID, "invalid-value", "/settings", "%s", problem);
    }
    kit_settings_release(settings);
    tell(change, "patch", app, overlay->settings == NULL ? NULL : json_pack("{s:O}", "settings", overlay->settings),
         json_pack("{s:O}", "settings", patch));
    kit_replace(&overlay->settings, patch);
    return true;
}

/* ---- all of an app ---- */

static bool has_known_keys(kit_change_t *change, const json_t *document)
{
    static const char *const keys[] = {"settings", "domains",   "backends",   "app",    "seq", "state",
                                       "queue",    "in_flight", "configured", "source", NULL};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)document, key, value)
    {
        size_t i = 0;
        while (keys[i] != NULL && strcmp(keys[i], key) != 0)
            i++;
        if (keys[i] == NULL)
            return kit_change_refuse(change, INVALID, "unknown-key", NULL,
                                     "an app has settings, domains and backends, and no `%s`", key);
    }
    return true;
}

static bool is_list(kit_change_t *change, const json_t *document, const char *key, const char *pointer)
{
    const json_t *value = json_object_get(document, key);

    return value == NULL || json_is_array(value) ||
           kit_change_refuse(change, INVALID, "invalid-value", pointer, "%s are a list", key);
}

/* So that it is told which of them is none, and not that they are none together. */
static bool are_backends(kit_change_t *change, const json_t *list)
{
    json_t *backend;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, backend)
    {
        char pointer[KIT_POINTER_BYTES], problem[KIT_PROBLEM_BYTES];
        json_t *spelled = json_is_object(backend) ? kit_change_respelled(backend) : json_pack("{s:O}", "at", backend);
        kit_wanted_t wanted;
        const bool is_fine = kit_wanted_of_json(spelled, &wanted, problem, sizeof(problem));
        kit_wanted_free(&wanted);
        json_decref(spelled);
        snprintf(pointer, sizeof(pointer), "/backends/%zu", i);
        if (!is_fine)
            return kit_change_refuse(change, INVALID, "invalid-value", pointer, "%s", problem);
    }
    return true;
}

static bool is_app(kit_change_t *change, const char *app, const json_t *document)
{
    const json_t *settings = json_object_get(document, "settings");

    if (*app == '\0' || strlen(app) > NAME_MOST || strchr(app, '/') != NULL)
        return kit_change_refuse(change, INVALID, "invalid-value", NULL,
                                 "the name of an app is a word of 1 to %d characters, without /", NAME_MOST);
    if (settings != NULL && !json_is_object(settings))
        return kit_change_refuse(change, INVALID, "invalid-value", "/settings", "settings are an object");
    return has_known_keys(change, document) && is_list(change, document, "domains", "/domains") &&
           is_list(change, document, "backends", "/backends") && are_backends(change, json_object_get(document, "backends"));
}

/* Its settings become those of the document, and what that is silent about is as where nothing is said. */
static bool put_configured(kit_change_t *change, kit_app_t *app, struct kit_overlay *overlay, const json_t *document)
{
    char problem[KIT_PROBLEM_BYTES];
    json_t *wanted = json_object_get(document, "settings"), *patch;
    kit_settings_t usual, *settings;

    kit_settings_default(&usual);
    json_t *said = wanted == NULL ? json_object() : json_incref(wanted);
    settings = kit_settings_patched(&usual, said, problem, sizeof(problem));
    json_decref(said);
    kit_settings_free(&usual);
    if (settings == NULL)
        return kit_change_refuse(change, INVALID, "invalid-value", "/settings", "%s", problem);
    patch = kit_settings_json(settings, app->settings);
    kit_settings_release(settings);
    kit_replace(&overlay->gone, NULL);
    kit_replace(&overlay->settings, json_object_size(patch) == 0 ? NULL : json_incref(patch));
    json_decref(patch);
    return true;
}

/* Where its backends are tells how they are spoken to. */
static json_t *mapping_of(const json_t *document)
{
    json_t *settings = json_object_get(document, "settings"), *backend;
    json_t *mapping = settings == NULL ? json_object() : json_deep_copy(settings), *places = json_array();
    size_t i;

    json_array_foreach(json_object_get(document, "backends"), i, backend)
    {
        json_t *at = json_is_string(backend) ? backend : json_object_get(backend, "at");
        if (at != NULL)
            json_array_append(places, at);
    }
    json_object_set_new(mapping, "backends", places);
    return mapping;
}

static bool put_own(kit_change_t *change, const char *app, struct kit_overlay *overlay, const json_t *document)
{
    char problem[KIT_PROBLEM_BYTES];
    kit_touched_t *touched = kit_change_touched(change, app);
    json_t *mapping = mapping_of(document);
    kit_own_t *read = kit_own_read(change->kit, app, mapping, problem, sizeof(problem));

    if (read == NULL) {
        json_decref(mapping);
        return kit_change_refuse(change, INVALID, "invalid-value", "/settings", "%s", problem);
    }
    kit_own_discard(change->kit, touched->read);
    touched->read = read;
    kit_replace(&overlay->own, mapping);
    kit_replace(&overlay->settings, NULL);
    return true;
}

/* ---- its backends ---- */

static const char *id_of(const json_t *backend)
{
    const char *id = json_string_value(json_object_get(backend, "id"));

    return json_is_string(backend) ? json_string_value(backend)
           : id != NULL            ? id
                                   : json_string_value(json_object_get(backend, "at"));
}

static void remove_configured(const kit_app_t *app, struct kit_overlay *overlay)
{
    size_t count;
    bool is_waiting;
    kit_wanted_t *all = kit_names_expand(app, &count, &is_waiting);

    for (size_t i = 0; i < count; i++)
        kit_overlay_put(overlay, all[i].id, kit_wanted_json(&all[i]), NULL);
    kit_names_free(all, count);
}

static bool put_backends(kit_change_t *change, const char *app, struct kit_overlay *overlay, const json_t *list)
{
    kit_app_t *found = kit_change_app(change, app);
    json_t *backend;
    size_t i;

    if (found == NULL)
        return false;
    while (overlay->edits != NULL)
        kit_overlay_drop(overlay, overlay->edits->id);
    remove_configured(found, overlay);
    json_array_foreach((json_t *)(uintptr_t)list, i, backend)
    {
        char pointer[KIT_POINTER_BYTES];
        const char *id = id_of(backend);
        snprintf(pointer, sizeof(pointer), "/backends/%zu", i);
        if (id == NULL)
            return kit_change_refuse(change, INVALID, "invalid-value", pointer, "a backend needs `at`, its address");
        json_t *whole = json_is_string(backend) ? json_pack("{s:O}", "at", backend) : json_incref(backend);
        const bool is_fine = kit_change_member(change, app, id, whole, true);
        json_decref(whole);
        if (is_fine)
            continue;
        snprintf(change->problem.pointer, sizeof(change->problem.pointer), "%s", pointer);
        return false;
    }
    return true;
}

/* ---- its domains ---- */

/* A list as it stands in the table, to be looked up in; what is no domain is left out. */
static json_t *set_of(const json_t *list)
{
    json_t *set = json_object(), *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        char text[KIT_ENTRY_BYTES];
        const char *name = json_string_value(one);
        if (name == NULL || kit_domains_problem((weir_span_t){name, strlen(name)}) != NULL)
            continue;
        kit_domain_text((weir_span_t){name, strlen(name)}, text);
        json_object_set_new(set, text, json_true());
    }
    return set;
}

static bool put_domains(kit_change_t *change, const char *app, const json_t *list, bool was_there)
{
    json_t *before = was_there ? kit_change_domains_of(change, app) : json_array(), *wanted = set_of(list), *one;
    bool is_fine = true;
    size_t i;

    json_array_foreach(before, i, one)
    {
        if (is_fine && json_object_get(wanted, json_string_value(one)) == NULL)
            is_fine = kit_change_domain_remove(change, json_string_value(one));
    }
    json_decref(wanted);
    json_decref(before);
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        if (!is_fine)
            return false;
        is_fine = json_is_string(one) ? kit_change_domain(change, json_string_value(one), app, false)
                                      : kit_change_refuse(change, INVALID, "invalid-value", NULL, "a domain is a text");
        if (!is_fine)
            snprintf(change->problem.pointer, sizeof(change->problem.pointer), "/domains/%zu", i);
    }
    return is_fine;
}

/* ---- the steps ---- */

bool kit_change_app_put(kit_change_t *change, const char *app, const json_t *document)
{
    const bool was_there = kit_change_has_app(change, app);
    kit_app_t *found = kit_app_awake(change->kit, (weir_span_t){app, strlen(app)});
    struct kit_overlay *overlay;

    if (!is_app(change, app, document))
        return false;
    overlay = kit_change_touch(change, app);
    const bool is_configured = found != NULL && kit_app_is_configured(change->kit, found);
    if (is_configured ? !put_configured(change, found, overlay, document) : !put_own(change, app, overlay, document))
        return false;
    tell(change, "put", app, NULL, json_deep_copy(document));
    return put_backends(change, app, overlay, json_object_get(document, "backends")) &&
           put_domains(change, app, json_object_get(document, "domains"), was_there || is_configured);
}

bool kit_change_app_remove(kit_change_t *change, const char *app)
{
    kit_app_t *found = kit_change_app(change, app);
    struct kit_overlay *overlay;

    if (found == NULL)
        return false;
    overlay = kit_change_touch(change, app);
    if (!kit_app_is_configured(change->kit, found) && !put_domains(change, app, NULL, true))
        return false;
    while (overlay->edits != NULL)
        kit_overlay_drop(overlay, overlay->edits->id);
    kit_replace(&overlay->settings, NULL);
    kit_replace(&overlay->course, NULL);
    kit_replace(&overlay->own, NULL);
    if (kit_app_is_configured(change->kit, found))
        kit_replace(&overlay->gone, kit_app_digest(found));
    tell(change, "delete", app, NULL, NULL);
    return true;
}

bool kit_change_app_revert(kit_change_t *change, const char *app)
{
    kit_app_t *found = kit_app_awake(change->kit, (weir_span_t){app, strlen(app)});
    struct kit_overlay *overlay;

    if (found == NULL || !kit_app_is_configured(change->kit, found))
        return kit_change_app_remove(change, app);
    overlay = kit_change_touch(change, app);
    while (overlay->edits != NULL)
        kit_overlay_drop(overlay, overlay->edits->id);
    kit_replace(&overlay->settings, NULL);
    kit_replace(&overlay->gone, NULL);
    tell(change, "revert", app, NULL, NULL);
    return true;
}

bool kit_change_course(kit_change_t *change, const char *app, const char *op, json_t *course)
{
    struct kit_overlay *overlay;

    if (kit_change_app(change, app) == NULL) {
        json_decref(course);
        return false;
    }
    overlay = kit_change_touch(change, app);
    tell(change, op, app, NULL, course == NULL ? NULL : json_pack("{s:O}", "course", course));
    kit_replace(&overlay->course, course);
    return true;
}
