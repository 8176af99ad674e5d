/* SPDX-License-Identifier: MIT */
#include "change.h"

#include <stdarg.h>
#include <stdio.h>

#include "alloc.h"
#include "asleep.h"
#include "change_inside.h"
#include "given.h"
#include "later.h"
#include "metrics.h"
#include "saved.h"
#include "state_file.h"
#include "watch.h"

enum { NOT_FOUND = 404, PRECONDITION_FAILED = 412, WHO_BYTES = 384 };

void kit_change_begin(kit_change_t *change, struct weir_kit *kit, const weir_admin_caller_t *who)
{
    memset(change, 0, sizeof(*change));
    change->kit = kit;
    change->who = who;
    change->events = json_array();
}

bool kit_change_refuse(kit_change_t *change, uint16_t status, const char *type, const char *pointer, const char *format, ...)
{
    kit_problem_t *problem = &change->problem;
    va_list arguments;

    problem->status = status;
    problem->type = type;
    snprintf(problem->pointer, sizeof(problem->pointer), "%s", pointer == NULL ? "" : pointer);
    va_start(arguments, format);
    vsnprintf(problem->detail, sizeof(problem->detail), format, arguments);
    va_end(arguments);
    return false;
}

static bool is_tag(weir_span_t field, const char *tag)
{
    return field.len == strlen(tag) && memcmp(field.base, tag, field.len) == 0;
}

bool kit_change_may(kit_change_t *change, const char *what, uint64_t seq, bool is_there, weir_span_t match, weir_span_t none)
{
    char tag[KIT_TAG_BYTES];

    snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)seq);
    if (match.base != NULL && !(is_tag(match, "*") && is_there) && !is_tag(match, tag))
        return kit_change_refuse(change, PRECONDITION_FAILED, "precondition-failed", NULL, "%s has changed: it is %s now", what,
                                 tag);
    if (none.base != NULL && ((is_tag(none, "*") && is_there) || is_tag(none, tag)))
        return kit_change_refuse(change, PRECONDITION_FAILED, "precondition-failed", NULL, "%s is there already", what);
    return true;
}

/* ---- what it has touched ---- */

kit_touched_t *kit_change_touched(const kit_change_t *change, const char *app)
{
    return kit_keyed_find(&change->app_table, app);
}

static kit_edit_t *copy_edits(const kit_edit_t *edit)
{
    kit_edit_t *first = NULL, **end = &first;

    for (; edit != NULL; edit = edit->next, end = &(*end)->next) {
        *end = kit_alloc(1, sizeof(**end));
        (*end)->id = kit_copy(edit->id);
        (*end)->base = json_incref(edit->base);
        (*end)->patch = json_incref(edit->patch);
    }
    return first;
}

struct kit_overlay *kit_change_touch(kit_change_t *change, const char *app)
{
    struct kit_overlay *overlay = kit_overlay_find(change->kit->instance, app);
    kit_touched_t *touched;

    if (kit_change_touched(change, app) != NULL)
        return kit_overlay_of(change->kit->instance, app);
    touched = kit_alloc(1, sizeof(*touched));
    touched->name = kit_copy(app);
    touched->keyed.key = touched->name;
    kit_keyed_add(&change->app_table, &touched->keyed);
    touched->next = change->apps;
    change->apps = touched;
    touched->had_overlay = overlay != NULL;
    if (overlay == NULL)
        return kit_overlay_of(change->kit->instance, app);
    touched->own = json_incref(overlay->own);
    touched->gone = json_incref(overlay->gone);
    touched->settings = json_incref(overlay->settings);
    touched->course = json_incref(overlay->course);
    touched->edits = copy_edits(overlay->edits);
    touched->seq = overlay->seq;
    return overlay;
}

void kit_change_touch_domain(kit_change_t *change, const char *entry)
{
    const kit_domain_edit_t *edit = kit_domain_edit_find(change->kit->instance, entry);
    const kit_app_t *owner;
    kit_touched_domain_t *touched;

    if (kit_keyed_find(&change->domain_table, entry) != NULL)
        return;
    touched = kit_alloc(1, sizeof(*touched) + strlen(entry) + 1);
    memcpy(touched->entry, entry, strlen(entry));
    touched->keyed.key = touched->entry;
    kit_keyed_add(&change->domain_table, &touched->keyed);
    touched->next = change->domains;
    change->domains = touched;
    touched->had_edit = edit != NULL;
    if (edit == NULL) {
        owner = kit_domains_owner(change->kit->domains, (weir_span_t){entry, strlen(entry)});
        touched->base = owner == NULL ? NULL : kit_copy(owner->name);
        return;
    }
    touched->app = kit_copy(edit->app);
    touched->base = kit_copy(edit->base);
    touched->seq = edit->seq;
}

bool kit_app_is_configured(const struct weir_kit *kit, const kit_app_t *app)
{
    return app->is_given || kit_app_is_written(kit, app);
}

bool kit_change_has_app(const kit_change_t *change, const char *app)
{
    const struct kit_overlay *overlay = kit_overlay_find(change->kit->instance, app);
    const kit_app_t *present = kit_app_find(change->kit, (weir_span_t){app, strlen(app)});

    if (present != NULL && kit_app_is_configured(change->kit, present))
        return overlay == NULL || overlay->gone == NULL;
    return overlay != NULL && overlay->own != NULL;
}

kit_app_t *kit_change_app(kit_change_t *change, const char *app)
{
    const kit_touched_t *touched = kit_change_touched(change, app);

    if (!kit_change_has_app(change, app)) {
        (void)kit_change_refuse(change, NOT_FOUND, "unknown-app", NULL, "there is no app %s", app);
        return NULL;
    }
    if (touched != NULL && touched->read != NULL)
        return &touched->read->app;
    return kit_app_awake(change->kit, (weir_span_t){app, strlen(app)});
}

void kit_change_tell(kit_change_t *change, const char *op, const char *path, json_t *before, json_t *after)
{
    json_array_append_new(change->events,
                          json_pack("{s:s, s:s, s:o, s:o}", "op", op, "path", path, "before",
                                    before == NULL ? json_null() : before, "after", after == NULL ? json_null() : after));
}

/* ---- its end ---- */

static void free_edits(kit_edit_t *edit)
{
    for (kit_edit_t *next; edit != NULL; edit = next) {
        next = edit->next;
        json_decref(edit->base);
        json_decref(edit->patch);
        free(edit->id);
        free(edit);
    }
}

static void finish(kit_change_t *change)
{
    for (kit_touched_t *touched = change->apps, *next; touched != NULL; touched = next) {
        next = touched->next;
        json_decref(touched->own);
        json_decref(touched->gone);
        json_decref(touched->settings);
        json_decref(touched->course);
        free_edits(touched->edits);
        kit_own_discard(change->kit, touched->read);
        free(touched->name);
        free(touched);
    }
    for (kit_touched_domain_t *touched = change->domains, *next; touched != NULL; touched = next) {
        next = touched->next;
        free(touched->app);
        free(touched->base);
        free(touched);
    }
    kit_keyed_finish(&change->app_table);
    kit_keyed_finish(&change->domain_table);
    json_decref(change->domains_of);
    json_decref(change->events);
    change->domains_of = NULL;
    change->apps = NULL;
    change->domains = NULL;
    change->events = NULL;
}

static void restore(const kit_change_t *change, kit_touched_t *touched)
{
    kit_instance_t *instance = change->kit->instance;
    struct kit_overlay *overlay;

    kit_overlay_forget(instance, touched->name);
    if (!touched->had_overlay)
        return;
    overlay = kit_overlay_of(instance, touched->name);
    overlay->own = json_incref(touched->own);
    overlay->gone = json_incref(touched->gone);
    overlay->settings = json_incref(touched->settings);
    overlay->course = json_incref(touched->course);
    overlay->edits = touched->edits;
    overlay->seq = touched->seq;
    touched->edits = NULL;
}

void kit_change_roll_back(kit_change_t *change)
{
    kit_instance_t *instance = change->kit->instance;

    for (kit_touched_t *touched = change->apps; touched != NULL; touched = touched->next)
        restore(change, touched);
    for (kit_touched_domain_t *touched = change->domains; touched != NULL; touched = touched->next) {
        if (touched->had_edit)
            kit_domain_edit_put(instance, touched->entry, touched->app, touched->base)->seq = touched->seq;
        else
            kit_domain_edit_drop(instance, touched->entry);
    }
    finish(change);
}

/* What is to be done with backends later: those whose edits are others now. */
static void note_laters(const kit_change_t *change, const kit_touched_t *touched)
{
    const struct kit_overlay *overlay = kit_overlay_find(change->kit->instance, touched->name);
    const kit_edit_t *before = touched->edits;

    for (const kit_edit_t *edit = overlay == NULL ? NULL : overlay->edits; edit != NULL; edit = edit->next) {
        const bool is_same = before != NULL && strcmp(before->id, edit->id) == 0 && before->patch == edit->patch;
        if (!is_same)
            kit_later_note(change->kit->instance, touched->name, edit);
        before = before == NULL ? NULL : before->next;
    }
}

static void put_app_in_force(const kit_change_t *change, kit_touched_t *touched, uint64_t seq, uint64_t now_us)
{
    struct weir_kit *kit = change->kit;
    const bool is_there = kit_change_has_app(change, touched->name);
    kit_app_t *app = kit_app_awake(kit, (weir_span_t){touched->name, strlen(touched->name)});

    kit_overlay_of(kit->instance, touched->name)->seq = seq;
    if (is_there && touched->read != NULL) {
        (void)kit_own_take(kit, touched->read, now_us);
        touched->read = NULL;
        return;
    }
    if (app != NULL) {
        const bool was_gone = atomic_exchange(&app->is_gone, !is_there);
        kit_app_put_in_force(kit, app, now_us);
        if (was_gone && is_there && app->is_given)
            kit_given_return(kit, app);
    }
    if (!is_there && (app == NULL || !kit_app_is_configured(kit, app)))
        kit_overlay_forget(kit->instance, touched->name);
}

static void put_domain_in_force(const kit_change_t *change, const kit_touched_domain_t *touched, uint64_t seq)
{
    kit_domain_edit_t *edit = kit_domain_edit_find(change->kit->instance, touched->entry);

    if (edit != NULL)
        edit->seq = seq;
    (void)kit_own_place_domain(change->kit, touched->entry, edit != NULL ? edit->app : touched->base);
}

static void write_who(const weir_admin_caller_t *caller, char who[static WHO_BYTES])
{
    if (caller != NULL && caller->name != NULL)
        snprintf(who, WHO_BYTES, "%.255s (%.63s)", caller->name, caller->address);
    else
        snprintf(who, WHO_BYTES, "uid %lld (pid %lld)", caller == NULL ? -1LL : (long long)caller->uid,
                 caller == NULL ? -1LL : (long long)caller->pid);
}

/* So that nobody has to guess afterwards who it was. */
static void tell_log(const kit_change_t *change, uint64_t seq)
{
    const json_t *first = json_array_get(change->events, 0), *after = json_object_get(first, "after");
    const size_t count = json_array_size(change->events);
    char who[WHO_BYTES], more[48] = "", *value = json_is_null(after) ? NULL : json_dumps(after, JSON_COMPACT | JSON_ENCODE_ANY);

    if (count > 1)
        snprintf(more, sizeof(more), ", and %zu more", count - 1);
    write_who(change->who, who);
    if (first != NULL && change->kit->host != NULL)
        weir_instance_log(change->kit->host, "change %llu by %s: %s %s%s%.256s%s", (unsigned long long)seq, who,
                          json_string_value(json_object_get(first, "op")), json_string_value(json_object_get(first, "path")),
                          value == NULL ? "" : " ", value == NULL ? "" : value, more);
    free(value);
}

static void count_events(const json_t *events)
{
    const json_t *event;
    size_t i;

    json_array_foreach(events, i, event) kit_metrics_changed(json_string_value(json_object_get(event, "op")));
}

uint64_t kit_change_commit(kit_change_t *change)
{
    kit_instance_t *instance = change->kit->instance;
    const uint64_t now_us = weir_instance_now_us(change->kit->host), seq = ++instance->seq;

    for (kit_touched_t *touched = change->apps; touched != NULL; touched = touched->next)
        put_app_in_force(change, touched, seq, now_us);
    for (kit_touched_t *touched = change->apps; touched != NULL; touched = touched->next)
        note_laters(change, touched);
    for (kit_touched_domain_t *touched = change->domains; touched != NULL; touched = touched->next)
        put_domain_in_force(change, touched, seq);
    if (instance->file != NULL)
        kit_state_file_add(instance->file, instance, kit_saved_change(change, seq));
    kit_watch_tell(instance, change, seq);
    tell_log(change, seq);
    count_events(change->events);
    finish(change);
    return seq;
}
