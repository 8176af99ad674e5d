/* SPDX-License-Identifier: MIT */
#include "overlay.h"

#include <stdio.h>

#include "alloc.h"
#include "config.h"
#include "later.h"
#include "names.h"
#include "workers.h"

enum { PROBLEM_BYTES = 512, ADDRESS_BYTES = 512 };

/* ---- apps ---- */

struct kit_overlay *kit_overlay_find(const kit_instance_t *instance, const char *app)
{
    return kit_keyed_find(&instance->overlays, app);
}

struct kit_overlay *kit_overlay_of(kit_instance_t *instance, const char *app)
{
    struct kit_overlay *overlay = kit_overlay_find(instance, app);

    if (overlay != NULL)
        return overlay;
    overlay = kit_alloc(1, sizeof(*overlay) + strlen(app) + 1);
    memcpy(overlay->app, app, strlen(app));
    overlay->keyed.key = overlay->app;
    kit_keyed_add(&instance->overlays, &overlay->keyed);
    return overlay;
}

static void free_wanted(kit_wanted_t *wanted)
{
    if (wanted != NULL)
        kit_wanted_free(wanted);
    free(wanted);
}

static void free_edit(kit_edit_t *edit)
{
    free_wanted(edit->said);
    free_wanted(edit->read);
    json_decref(edit->base);
    json_decref(edit->patch);
    free(edit->id);
    free(edit);
}

static void free_overlay(struct kit_overlay *overlay)
{
    while (overlay->edits != NULL)
        kit_overlay_drop(overlay, overlay->edits->id);
    json_decref(overlay->own);
    json_decref(overlay->gone);
    json_decref(overlay->settings);
    json_decref(overlay->course);
    free(overlay);
}

void kit_overlay_forget(kit_instance_t *instance, const char *app)
{
    struct kit_overlay *overlay = kit_overlay_find(instance, app);

    if (overlay == NULL)
        return;
    kit_keyed_remove(&instance->overlays, &overlay->keyed);
    free_overlay(overlay);
}

static void free_domain_edit(kit_domain_edit_t *edit)
{
    free(edit->app);
    free(edit->base);
    free(edit);
}

void kit_overlays_free(kit_instance_t *instance)
{
    void **overlays = kit_keyed_all(&instance->overlays), **domains = kit_keyed_all(&instance->domain_edits);

    for (size_t i = 0; i < instance->overlays.count; i++)
        free_overlay(overlays[i]);
    for (size_t i = 0; i < instance->domain_edits.count; i++)
        free_domain_edit(domains[i]);
    kit_keyed_finish(&instance->overlays);
    kit_keyed_finish(&instance->domain_edits);
    free(overlays);
    free(domains);
}

/* ---- domains ---- */

kit_domain_edit_t *kit_domain_edit_find(const kit_instance_t *instance, const char *entry)
{
    return kit_keyed_find(&instance->domain_edits, entry);
}

kit_domain_edit_t *kit_domain_edit_put(kit_instance_t *instance, const char *entry, const char *app, const char *base)
{
    kit_domain_edit_t *edit = kit_alloc(1, sizeof(*edit) + strlen(entry) + 1);

    memcpy(edit->entry, entry, strlen(entry));
    edit->keyed.key = edit->entry;
    edit->app = kit_copy(app);
    edit->base = kit_copy(base);
    kit_domain_edit_drop(instance, entry);
    kit_keyed_add(&instance->domain_edits, &edit->keyed);
    return edit;
}

void kit_domain_edit_drop(kit_instance_t *instance, const char *entry)
{
    kit_domain_edit_t *edit = kit_domain_edit_find(instance, entry);

    if (edit == NULL)
        return;
    kit_keyed_remove(&instance->domain_edits, &edit->keyed);
    free_domain_edit(edit);
}

/* ---- backends ---- */

static kit_edit_t **place_of(const struct kit_overlay *overlay, const char *id)
{
    kit_edit_t **at = (kit_edit_t **)(uintptr_t)&overlay->edits;

    while (*at != NULL && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    return at;
}

kit_edit_t *kit_overlay_edit(const struct kit_overlay *overlay, const char *id)
{
    return overlay == NULL ? NULL : *place_of(overlay, id);
}

kit_edit_t *kit_overlay_put(struct kit_overlay *overlay, const char *id, json_t *base, json_t *patch)
{
    kit_edit_t **at = place_of(overlay, id), *before = *at, *edit = kit_alloc(1, sizeof(*edit));

    *edit = (kit_edit_t){.id = kit_copy(id), .base = base, .patch = patch};
    *at = edit;
    if (before == NULL)
        return edit;
    edit->next = before->next;
    if (json_equal(before->base, base)) {
        edit->said = before->said;
        before->said = NULL;
    }
    free_edit(before);
    return edit;
}

void kit_overlay_drop(struct kit_overlay *overlay, const char *id)
{
    kit_edit_t **at = place_of(overlay, id), *edit = *at;

    if (edit == NULL)
        return;
    *at = edit->next;
    free_edit(edit);
}

/* ---- documents ---- */

static void write_address(const kit_wanted_t *wanted, char text[ADDRESS_BYTES])
{
    const place_t *place = &wanted->place;
    const char *scheme = place->is_https ? "https://" : "", *dns = wanted->is_name ? "dns:" : "";
    const bool is_v6 = strchr(place->host, ':') != NULL && place->host[0] != '[';

    if (place->port == 0)
        snprintf(text, ADDRESS_BYTES, "%s:%s", place->worker != 0 ? "worker" : "unix", place->host);
    else
        snprintf(text, ADDRESS_BYTES, is_v6 ? "%s%s[%s]:%u" : "%s%s%s:%u", dns, scheme, place->host, (unsigned)place->port);
}

json_t *kit_wanted_json(const kit_wanted_t *wanted)
{
    static const char *const states[] = {"up", "draining", "off"};
    char address[ADDRESS_BYTES];

    write_address(wanted, address);
    json_t *document =
        json_pack("{s:s, s:s, s:i, s:i, s:i, s:s}", "at", address, "id", wanted->id, "weight", (int)wanted->weight, "tier",
                  (int)wanted->tier, "max-requests", (int)wanted->request_limit, "state", states[wanted->admin]);
    json_t *labels = json_object();
    for (size_t i = 0; i < wanted->label_count; i++)
        json_object_set_new(labels, wanted->labels[i].name, json_string(wanted->labels[i].value));
    json_object_set_new(document, "labels", labels);
    if (wanted->zone != NULL)
        json_object_set_new(document, "zone", json_string(wanted->zone));
    return document;
}

json_t *kit_edit_document(const json_t *base, const json_t *patch)
{
    json_t *document = base == NULL ? json_object() : json_copy((json_t *)(uintptr_t)base), *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
    {
        if (json_is_null(value))
            json_object_del(document, key);
        else
            json_object_set(document, key, value);
    }
    json_object_del(document, "then"); /* no property of a backend */
    return document;
}

json_t *kit_configured_member(const kit_app_t *app, const char *id)
{
    size_t count;
    bool is_waiting;
    json_t *document = NULL;

    for (size_t i = 0; i < app->wanted_count; i++)
        if (app->wanted[i].name == NULL && strcmp(app->wanted[i].id, id) == 0)
            return kit_wanted_json(&app->wanted[i]);
    if (!kit_names_has(app) && weir_worker_count() == 0)
        return NULL;
    kit_wanted_t *all = kit_names_expand(app, &count, &is_waiting);
    for (size_t i = 0; i < count && document == NULL; i++)
        if (strcmp(all[i].id, id) == 0)
            document = kit_wanted_json(&all[i]);
    kit_names_free(all, count);
    return document;
}

json_t *kit_overlay_member(const kit_app_t *app, const struct kit_overlay *overlay, const char *id)
{
    const kit_edit_t *edit = kit_overlay_edit(overlay, id);

    if (edit == NULL)
        return kit_configured_member(app, id);
    return edit->patch == NULL ? NULL : kit_edit_document(edit->base, edit->patch);
}

static bool read_wanted(void *wanted, const weir_config_t *node)
{
    return kit_wanted_read(node, wanted);
}

/* Where a worker is cannot be written in a configuration: here only, of one that is there, for what operators say of it. */
bool kit_document_is_of_worker(const json_t *document)
{
    const char *at = json_string_value(json_object_get(document, "at"));

    return at != NULL && strncmp(at, "worker:", 7) == 0;
}

bool kit_wanted_of_json(const json_t *document, kit_wanted_t *out, char *problem, size_t bytes)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)document);

    if (kit_document_is_of_worker(document))
        json_object_set_new(copy, "at", json_sprintf("unix:%s", json_string_value(json_object_get(document, "at")) + 7));
    char *text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    memset(out, 0, sizeof(*out));
    const bool is_fine = weir_config_of_text(text, strlen(text), read_wanted, out, problem, bytes);
    free(text);
    return is_fine;
}

static bool read_settings(void *settings, const weir_config_t *node)
{
    return weir_config_keys(node, kit_settings_keys) && kit_settings_read(node, settings);
}

kit_settings_t *kit_settings_patched(const kit_settings_t *base, const json_t *patch, char *problem, size_t bytes)
{
    kit_settings_t *settings = kit_settings_create();
    char *text = json_dumps(patch, JSON_COMPACT);

    kit_settings_free(settings);
    kit_settings_copy(base, settings);
    const bool is_fine = weir_config_of_text(text, strlen(text), read_settings, settings, problem, bytes);
    free(text);
    if (is_fine)
        return settings;
    kit_settings_release(settings);
    return NULL;
}

/* ---- on top ---- */

static void say(const struct weir_kit *kit, const kit_app_t *app, const char *id, const char *what)
{
    if (kit->host != NULL)
        weir_instance_log(kit->host, "app %s: backend %s: what was changed while the proxy ran is dropped: %s", app->name, id,
                          what);
}

/* *slot, or the document as it is read, which is kept there. NULL: what is wrong with it stands in `problem`. */
static const kit_wanted_t *read_once(kit_wanted_t **slot, const json_t *document, char problem[PROBLEM_BYTES])
{
    if (*slot != NULL)
        return *slot;
    *slot = kit_alloc(1, sizeof(**slot));
    if (kit_wanted_of_json(document, *slot, problem, PROBLEM_BYTES))
        return *slot;
    free_wanted(*slot);
    *slot = NULL;
    return NULL;
}

/* Whether kit_wanted_json() has the same to say of both. False also where labels stand in another order. */
static bool is_surely_same(const kit_wanted_t *one, const kit_wanted_t *other)
{
    if (one->place.port != other->place.port || one->place.is_https != other->place.is_https ||
        one->is_name != other->is_name || one->weight != other->weight || one->tier != other->tier ||
        one->request_limit != other->request_limit || one->admin != other->admin || one->label_count != other->label_count)
        return false;
    for (size_t i = 0; i < one->label_count; i++)
        if (strcmp(one->labels[i].name, other->labels[i].name) != 0 ||
            strcmp(one->labels[i].value, other->labels[i].value) != 0)
            return false;
    return kit_is_same_text(one->place.host, other->place.host) && kit_is_same_text(one->id, other->id) &&
           kit_is_same_text(one->zone, other->zone);
}

/* False: what was said of it then is another thing than the configuration says now. */
static bool still_holds(kit_edit_t *edit, const kit_wanted_t *configured)
{
    char problem[PROBLEM_BYTES];

    if (edit->base == NULL || configured == NULL)
        return edit->base == NULL && configured == NULL;
    const kit_wanted_t *said = read_once(&edit->said, edit->base, problem);
    if (said != NULL && is_surely_same(said, configured))
        return true;
    json_t *present = kit_wanted_json(configured);
    const bool is_same = json_equal(present, edit->base) != 0;
    json_decref(present);
    return is_same;
}

/* What nobody can change of a worker: who it is, and what it can do. */
static void carry_worker(const kit_wanted_t *from, kit_wanted_t *to)
{
    if (from->place.worker == 0)
        return;
    to->place.worker = from->place.worker;
    to->place.worker_protocol = from->place.worker_protocol;
    to->capacity = from->capacity;
}

/* Adds the backend as edited; false: it cannot be read. */
static bool add_edited(const struct weir_kit *kit, const kit_app_t *app, kit_edit_t *edit, kit_composed_t *out)
{
    char problem[PROBLEM_BYTES];
    json_t *document = edit->read != NULL ? NULL : kit_edit_document(edit->base, edit->patch);
    const kit_wanted_t *wanted = read_once(&edit->read, document, problem);

    json_decref(document);
    if (wanted == NULL) {
        say(kit, app, edit->id, problem);
        return false;
    }
    out->wanted[out->count] = *wanted;
    kit_later_ramp(edit, &out->wanted[out->count]);
    out->wanted[out->count++].place.tls = app->manner->tls;
    return true;
}

static size_t count_edits(const struct kit_overlay *overlay)
{
    size_t count = 0;

    for (const kit_edit_t *edit = overlay == NULL ? NULL : overlay->edits; edit != NULL; edit = edit->next)
        count++;
    return count;
}

/* Those that the configuration has: as they are, as edited, or not at all. */
static void compose_configured(struct weir_kit *kit, const kit_app_t *app, struct kit_overlay *overlay,
                               const kit_wanted_t *wanted, kit_composed_t *out)
{
    kit_edit_t *edit = kit_overlay_edit(overlay, wanted->id);

    if (edit != NULL && !still_holds(edit, wanted)) {
        say(kit, app, wanted->id, "the configuration says something new of it");
        kit_overlay_drop(overlay, wanted->id);
        edit = NULL;
    }
    if (edit == NULL)
        out->wanted[out->count++] = *wanted;
    else if (edit->patch != NULL && add_edited(kit, app, edit, out))
        carry_worker(wanted, &out->wanted[out->count - 1]);
}

static bool is_configured(const kit_wanted_t *expanded, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(expanded[i].id, id) == 0)
            return true;
    return false;
}

static void compose_settings(struct weir_kit *kit, const kit_app_t *app, struct kit_overlay *overlay, kit_composed_t *out)
{
    char problem[PROBLEM_BYTES];

    if (overlay == NULL || overlay->settings == NULL) {
        out->settings = kit_settings_hold(app->settings);
        return;
    }
    out->settings = kit_settings_patched(app->settings, overlay->settings, problem, sizeof(problem));
    if (out->settings != NULL)
        return;
    if (kit->host != NULL)
        weir_instance_log(kit->host, "app %s: settings that were changed while the proxy ran are dropped: %s", app->name,
                          problem);
    json_decref(overlay->settings);
    overlay->settings = NULL;
    out->settings = kit_settings_hold(app->settings);
}

void kit_overlay_compose(struct weir_kit *kit, const kit_app_t *app, const kit_wanted_t *expanded, size_t count,
                         kit_composed_t *out)
{
    struct kit_overlay *overlay = kit_overlay_find(kit->instance, app->name);
    const size_t edits = count_edits(overlay);

    memset(out, 0, sizeof(*out));
    out->wanted = kit_alloc(count + edits, sizeof(out->wanted[0]));
    compose_settings(kit, app, overlay, out);
    if (overlay != NULL && overlay->gone != NULL)
        return;
    for (size_t i = 0; i < count; i++)
        compose_configured(kit, app, overlay, &expanded[i], out);
    for (kit_edit_t *edit = overlay == NULL ? NULL : overlay->edits, *next; edit != NULL; edit = next) {
        next = edit->next;
        if (is_configured(expanded, count, edit->id))
            continue;
        if (edit->base == NULL && edit->patch != NULL)
            (void)add_edited(kit, app, edit, out);
        else
            kit_overlay_drop(overlay, edit->id); /* of one that the configuration has no more */
    }
}

void kit_composed_free(kit_composed_t *composed)
{
    free(composed->wanted);
}
