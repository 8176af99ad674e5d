/* SPDX-License-Identifier: MIT */
#include "saved.h"

#include "alloc.h"
#include "change_inside.h"

static json_t *or_null(json_t *value)
{
    return value == NULL ? json_null() : json_incref(value);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static json_t *json_of_app(const struct kit_overlay *overlay)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "app", overlay->app, "own", or_null(overlay->own), "gone",
                     or_null(overlay->gone), "settings", or_null(overlay->settings), "course", or_null(overlay->course));
}

static json_t *json_of_edit(const char *app, const kit_edit_t *edit)
{
    return json_pack("{s:s, s:s, s:o, s:o}", "app", app, "backend", edit->id, "base", or_null(edit->base), "patch",
                     or_null(edit->patch));
}

static json_t *json_of_domain(const kit_domain_edit_t *edit)
{
    return json_pack("{s:s, s:o, s:o}", "domain", edit->entry, "app", text_or_null(edit->app), "base",
                     text_or_null(edit->base));
}

/* ---- a change ---- */

static bool is_same_app(const kit_touched_t *before, const struct kit_overlay *now)
{
    return before->had_overlay && before->own == now->own && before->gone == now->gone && before->settings == now->settings &&
           before->course == now->course;
}

/* Edits keep their order: what stands at another place has been dropped in between. */
static void add_edits(json_t *set, const char *app, const kit_edit_t *before, const kit_edit_t *now)
{
    for (; before != NULL; before = before->next) {
        if (now == NULL || strcmp(before->id, now->id) != 0) {
            json_array_append_new(set, json_pack("{s:s, s:s, s:b}", "app", app, "backend", before->id, "drop", 1));
            continue;
        }
        if (before->base != now->base || before->patch != now->patch)
            json_array_append_new(set, json_of_edit(app, now));
        now = now->next;
    }
    for (; now != NULL; now = now->next)
        json_array_append_new(set, json_of_edit(app, now));
}

static void add_app(json_t *set, const kit_change_t *change, const kit_touched_t *touched)
{
    const struct kit_overlay *now = kit_overlay_find(change->kit->instance, touched->name);

    if (now == NULL) {
        json_array_append_new(set, json_pack("{s:s, s:b}", "app", touched->name, "forget", 1));
        return;
    }
    if (!is_same_app(touched, now))
        json_array_append_new(set, json_of_app(now));
    add_edits(set, touched->name, touched->edits, now->edits);
}

static void add_domain(json_t *set, const kit_change_t *change, const kit_touched_domain_t *touched)
{
    const kit_domain_edit_t *now = kit_domain_edit_find(change->kit->instance, touched->entry);

    json_array_append_new(set,
                          now != NULL ? json_of_domain(now) : json_pack("{s:s, s:b}", "domain", touched->entry, "drop", 1));
}

json_t *kit_saved_change(const kit_change_t *change, uint64_t seq)
{
    json_t *set = json_array();

    for (const kit_touched_t *touched = change->apps; touched != NULL; touched = touched->next)
        add_app(set, change, touched);
    for (const kit_touched_domain_t *touched = change->domains; touched != NULL; touched = touched->next)
        add_domain(set, change, touched);
    return json_pack("{s:I, s:o}", "seq", (json_int_t)seq, "set", set);
}

/* ---- all of it ---- */

static void visit_one(void (*visit)(void *context, const json_t *record), void *context, uint64_t seq, json_t *one)
{
    json_t *record = json_pack("{s:I, s:[o]}", "seq", (json_int_t)seq, "set", one);

    visit(context, record);
    json_decref(record);
}

void kit_saved_each(const kit_instance_t *instance, void (*visit)(void *context, const json_t *record), void *context)
{
    void **overlays = kit_keyed_all(&instance->overlays), **edits = kit_keyed_all(&instance->domain_edits);

    for (size_t i = 0; i < instance->overlays.count; i++) {
        const struct kit_overlay *overlay = overlays[i];
        visit_one(visit, context, overlay->seq, json_of_app(overlay));
        for (const kit_edit_t *edit = overlay->edits; edit != NULL; edit = edit->next)
            visit_one(visit, context, overlay->seq, json_of_edit(overlay->app, edit));
    }
    for (size_t i = 0; i < instance->domain_edits.count; i++)
        visit_one(visit, context, ((const kit_domain_edit_t *)edits[i])->seq, json_of_domain(edits[i]));
    free(overlays);
    free(edits);
}

/* ---- back again ---- */

static json_t *value_of(const json_t *one, const char *key)
{
    json_t *value = json_object_get(one, key);

    return json_is_null(value) ? NULL : json_incref(value);
}

static bool restore_backend(struct kit_overlay *overlay, const json_t *one, const char *id)
{
    const json_t *base = json_object_get(one, "base"), *patch = json_object_get(one, "patch");

    if (json_object_get(one, "drop") != NULL) {
        kit_overlay_drop(overlay, id);
        return true;
    }
    if ((!json_is_null(base) && !json_is_object(base)) || (!json_is_null(patch) && !json_is_object(patch)))
        return false;
    kit_overlay_put(overlay, id, value_of(one, "base"), value_of(one, "patch"));
    return true;
}

static bool is_object_or_none(const json_t *one, const char *key)
{
    const json_t *value = json_object_get(one, key);

    return json_is_null(value) || json_is_object(value);
}

static bool restore_app(kit_instance_t *instance, const json_t *one, const char *app, uint64_t seq)
{
    const char *id = json_string_value(json_object_get(one, "backend"));

    if (json_object_get(one, "forget") != NULL) {
        kit_overlay_forget(instance, app);
        return true;
    }
    struct kit_overlay *overlay = kit_overlay_of(instance, app);
    overlay->seq = seq;
    if (id != NULL)
        return restore_backend(overlay, one, id);
    if (!is_object_or_none(one, "own") || !is_object_or_none(one, "settings"))
        return false;
    kit_replace(&overlay->own, value_of(one, "own"));
    kit_replace(&overlay->gone, value_of(one, "gone"));
    kit_replace(&overlay->settings, value_of(one, "settings"));
    kit_replace(&overlay->course, value_of(one, "course"));
    return true;
}

static bool restore_domain(kit_instance_t *instance, const json_t *one, const char *domain, uint64_t seq)
{
    const weir_span_t entry = {domain, strlen(domain)};

    if (kit_domains_problem(entry) != NULL)
        return false;
    if (json_object_get(one, "drop") != NULL) {
        kit_domain_edit_drop(instance, domain);
        return true;
    }
    kit_domain_edit_put(instance, domain, json_string_value(json_object_get(one, "app")),
                        json_string_value(json_object_get(one, "base")))
        ->seq = seq;
    return true;
}

bool kit_saved_restore(kit_instance_t *instance, const json_t *record)
{
    const json_t *seq = json_object_get(record, "seq"), *set = json_object_get(record, "set");
    const uint64_t number = (uint64_t)json_integer_value(seq);
    bool is_fine = json_is_integer(seq) && json_is_array(set);

    for (size_t i = 0; is_fine && i < json_array_size(set); i++) {
        const json_t *one = json_array_get(set, i);
        const char *domain = json_string_value(json_object_get(one, "domain"));
        const char *app = json_string_value(json_object_get(one, "app"));
        is_fine = domain != NULL ? restore_domain(instance, one, domain, number)
                                 : app != NULL && restore_app(instance, one, app, number);
    }
    if (is_fine && number > instance->seq)
        instance->seq = number;
    return is_fine;
}
