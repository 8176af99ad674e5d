/* SPDX-License-Identifier: MIT */
#include "later.h"

#include "alloc.h"
#include "asleep.h"
#include "wall.h"

typedef struct kit_later {
    struct kit_later *next;
    uint64_t at_ms;
    char *app, *id;
} kit_later_t;

json_t *kit_later_patch(const char *state, uint32_t ms, const char *what)
{
    const uint64_t at_ms = kit_wall_ms() + ms;

    return json_pack("{s:s, s:{s:I, s:s}}", "state", state, "then", "at_ms", (json_int_t)at_ms, "do", what);
}

json_t *kit_later_ramped(const char *state, uint32_t ms, uint32_t ramp_ms, const char *what)
{
    json_t *patch = kit_later_patch(state, ms, what), *then = json_object_get(patch, "then");
    const json_int_t at_ms = json_integer_value(json_object_get(then, "at_ms"));

    if (ramp_ms == 0)
        return patch;
    json_object_set_new(then, "ramp_from_ms", json_integer(at_ms - (json_int_t)ms));
    json_object_set_new(then, "ramp_ms", json_integer(ramp_ms < ms ? ramp_ms : ms));
    return patch;
}

void kit_later_ramp(const kit_edit_t *edit, kit_wanted_t *wanted)
{
    const json_t *then = json_object_get(edit->patch, "then");
    const json_int_t ramp_ms = json_integer_value(json_object_get(then, "ramp_ms")),
                     from_ms = json_integer_value(json_object_get(then, "ramp_from_ms"));

    wanted->ramp_ms = ramp_ms < 0 || ramp_ms > UINT32_MAX ? 0 : (uint32_t)ramp_ms;
    wanted->ramp_from_ms = from_ms < 0 ? 0 : (uint64_t)from_ms;
}

static uint64_t at_of(const kit_edit_t *edit)
{
    const json_t *then = edit == NULL ? NULL : json_object_get(edit->patch, "then");

    return (uint64_t)json_integer_value(json_object_get(then, "at_ms"));
}

static kit_later_t *find(const kit_instance_t *instance, const char *app, const char *id)
{
    kit_later_t *later = instance->laters;

    while (later != NULL && (strcmp(later->id, id) != 0 || strcmp(later->app, app) != 0))
        later = later->next;
    return later;
}

/* A backend stands here once, however often something is said of it. */
void kit_later_note(kit_instance_t *instance, const char *app, const kit_edit_t *edit)
{
    const uint64_t at_ms = at_of(edit);
    kit_later_t *later = at_ms == 0 ? NULL : find(instance, app, edit->id);

    if (later != NULL)
        later->at_ms = at_ms;
    if (at_ms == 0 || later != NULL)
        return;
    later = kit_alloc(1, sizeof(*later));
    *later =
        (kit_later_t){instance->laters, at_ms, kit_copy_bytes(app, strlen(app)), kit_copy_bytes(edit->id, strlen(edit->id))};
    instance->laters = later;
}

void kit_later_note_all(kit_instance_t *instance)
{
    void **overlays = kit_keyed_all(&instance->overlays);

    for (size_t i = 0; i < instance->overlays.count; i++) {
        const struct kit_overlay *overlay = overlays[i];
        for (const kit_edit_t *edit = overlay->edits; edit != NULL; edit = edit->next)
            kit_later_note(instance, overlay->app, edit);
    }
    free(overlays);
}

static void destroy(kit_later_t *later)
{
    free(later->app);
    free(later->id);
    free(later);
}

const weir_service_t *kit_service_of(const struct weir_kit *kit, const char *app, const char *id)
{
    const kit_app_t *found = kit_app_awake(kit, (weir_span_t){app, strlen(app)});

    return found == NULL ? NULL : (const weir_service_t *)(const void *)kit_set_find(found->set, id);
}

static void act(struct weir_kit *kit, const kit_later_t *later, const kit_edit_t *edit)
{
    const char *what = json_string_value(json_object_get(json_object_get(edit->patch, "then"), "do"));
    json_t *document = json_pack("{s:s}", "state", what != NULL && strcmp(what, "up") == 0 ? "up" : "off");
    kit_change_t change;

    kit_change_begin(&change, kit, NULL);
    const bool cuts = what != NULL && strcmp(what, "cut") == 0, removes = cuts || (what != NULL && strcmp(what, "remove") == 0);
    const weir_service_t *service = cuts ? kit_service_of(kit, later->app, later->id) : NULL;
    const bool is_fine = removes ? kit_change_member_remove(&change, later->app, later->id)
                                 : kit_change_member(&change, later->app, later->id, document, false);
    json_decref(document);
    if (!is_fine) {
        kit_change_roll_back(&change);
        return;
    }
    (void)kit_change_commit(&change);
    if (service != NULL)
        weir_service_cut(service);
}

/* False: it is not due. What has been changed since is nobody's any more. */
static bool is_over(struct weir_kit *kit, const kit_later_t *later, uint64_t now_ms)
{
    const kit_edit_t *edit = kit_overlay_edit(kit_overlay_find(kit->instance, later->app), later->id);

    if (at_of(edit) != later->at_ms)
        return true;
    if (now_ms < later->at_ms)
        return false;
    act(kit, later, edit);
    return true;
}

void kit_later_tick(struct weir_kit *kit)
{
    kit_later_t *due = kit->instance->laters;
    const uint64_t now_ms = due == NULL ? 0 : kit_wall_ms();

    kit->instance->laters = NULL; /* what is done may note more */
    for (kit_later_t *next; due != NULL; due = next) {
        next = due->next;
        if (is_over(kit, due, now_ms)) {
            destroy(due);
            continue;
        }
        due->next = kit->instance->laters;
        kit->instance->laters = due;
    }
}

void kit_later_free(kit_instance_t *instance)
{
    for (kit_later_t *later = instance->laters, *next; later != NULL; later = next) {
        next = later->next;
        destroy(later);
    }
    instance->laters = NULL;
}
