/* SPDX-License-Identifier: MIT */
#include "document.h"

#include <stdio.h>
#include <time.h>

#include "alloc.h"
#include "asleep.h"
#include "counts.h"
#include "own.h"
#include "queue.h"
#include "settings_fields.h"

enum { TIME_BYTES = 40, US_PER_MS = 1000, US_PER_S = 1000000 };

/* ---- backends ---- */

/* Instants are on the monotonic clock here, and on the wall's for people. */
json_t *kit_document_time(uint64_t at_us, uint64_t now_us)
{
    struct timespec wall;
    struct tm parts;
    char text[TIME_BYTES];

    clock_gettime(CLOCK_REALTIME, &wall);
    const int64_t us = (int64_t)wall.tv_sec * US_PER_S + wall.tv_nsec / US_PER_MS + (int64_t)at_us - (int64_t)now_us;
    const time_t seconds = (time_t)(us / US_PER_S);
    if (gmtime_r(&seconds, &parts) == NULL)
        return json_null();
    const size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, sizeof(text) - length, ".%03dZ", (int)(us % US_PER_S / US_PER_MS));
    return json_string(text);
}

static const char *word_of(weir_member_health_t health)
{
    static const char *const words[] = {"well", "trial", "starting", "check", "connect", "failing", "silent"};

    return words[health];
}

const char *kit_document_health(const weir_member_t *member)
{
    weir_member_facts_t facts = {.size = sizeof(facts)};

    weir_member_facts(member, &facts);
    return word_of(facts.health);
}

json_t *kit_document_until(const weir_member_t *member, uint64_t now_us)
{
    const kit_trouble_t *trouble = kit_trouble(member);
    const uint8_t state = atomic_load(&member->quarantine);

    if (trouble == NULL || state == KIT_FREE || state == KIT_TRIAL)
        return json_null();
    return kit_document_time(atomic_load(&trouble->quarantine_until_us), now_us);
}

static double head_ms(const weir_member_t *member)
{
    const kit_record_t *record = kit_record(member);

    return record == NULL || record->answers < 1 ? 0 : (double)(record->head_us / record->answers) / US_PER_MS;
}

static json_t *labels_of(const weir_member_t *member)
{
    const kit_labels_t *labels = atomic_load(&member->labels);
    json_t *object = json_object();

    for (size_t i = 0; labels != NULL && i < labels->count; i++)
        json_object_set_new(object, labels->at[i].name, json_string(labels->at[i].value));
    return object;
}

json_t *kit_document_address(const weir_member_t *member)
{
    const kit_address_t *address = atomic_load(&member->address);
    char text[512];

    if (address->port == 0)
        snprintf(text, sizeof(text), "%s:%s", address->worker != 0 ? "worker" : "unix", address->host);
    else
        snprintf(text, sizeof(text), strchr(address->host, ':') != NULL ? "%s[%s]:%u" : "%s%s:%u",
                 address->is_https ? "https://" : "", address->host, (unsigned)address->port);
    return json_string(text);
}

static json_t *ratio(double value)
{
    return json_real((double)(int64_t)(value * 10 + 0.5) / 10);
}

static json_t *document_of(const weir_member_t *member, uint64_t now_us)
{
    static const char *const states[] = {"up", "draining", "off"};
    weir_member_facts_t facts = {.size = sizeof(facts)};
    const kit_sums_t sums = kit_sums_of(member);
    const bool is_well = atomic_load(&member->quarantine) == KIT_FREE;

    weir_member_facts(member, &facts);
    return json_pack(
        "{s:s, s:o, s:i, s:i, s:o, s:i, s:o, s:s, s:s, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:I, s:I}", "id", member->id, "at",
        kit_document_address(member), "weight", (int)facts.weight, "tier", (int)facts.tier, "zone",
        member->zone == NULL ? json_null() : json_string(member->zone), "max_requests", (int)facts.max_requests, "labels",
        labels_of(member), "state", states[facts.state], "health", word_of(facts.health), "since",
        facts.ill_since_us == 0 ? json_null() : kit_document_time(facts.ill_since_us, now_us), "until",
        is_well ? json_null() : kit_document_until(member, now_us), "in_flight", (int)facts.in_flight, "waiting",
        (int)facts.waiting, "tunnels", (int)facts.tunnels, "handicap", (int)facts.handicap, "head_ms", ratio(head_ms(member)),
        "answers_10s", (json_int_t)sums.answers, "failures_10s", (json_int_t)sums.failures);
}

/* With what is to be done with it later, if an operator has said so. */
static json_t *document_with_then(const struct weir_kit *kit, const kit_app_t *app, const weir_member_t *member)
{
    const kit_edit_t *edit = kit_overlay_edit(kit_overlay_find(kit->instance, app->name), member->id);
    json_t *document = document_of(member, weir_instance_now_us(kit->host));
    json_t *then = edit == NULL ? NULL : json_object_get(edit->patch, "then");

    if (then != NULL)
        json_object_set(document, "then", then);
    return document;
}

json_t *kit_document_of_members(const struct weir_kit *kit, const kit_app_t *app)
{
    json_t *list = json_array();

    for (size_t i = 0; i < app->set->member_count; i++)
        json_array_append_new(list, document_with_then(kit, app, app->set->members[i]));
    for (size_t i = 0; i < app->set->leaving_count; i++)
        json_array_append_new(list, document_of(app->set->leaving[i], weir_instance_now_us(kit->host)));
    return list;
}

json_t *kit_document_of_member(const struct weir_kit *kit, const kit_app_t *app, const char *id)
{
    for (size_t i = 0; i < app->set->member_count; i++)
        if (strcmp(app->set->members[i]->id, id) == 0)
            return document_with_then(kit, app, app->set->members[i]);
    return NULL;
}

/* ---- apps ---- */

/* Of a list that is kept as words. */
static json_t *list_of(const char *words)
{
    json_t *list = json_array();

    while (words != NULL && *words != '\0') {
        const size_t length = strcspn(words, " ");
        json_array_append_new(list, json_stringn(words, length));
        words += length + (words[length] == ' ');
    }
    return list;
}

static json_t *value_of(const kit_field_t *field, const kit_settings_t *settings)
{
    char text[KIT_SHOWN_BYTES];

    if (field->kind == KIT_FIELD_TOKENS || field->kind == KIT_FIELD_NAMES)
        return list_of(*(const char *const *)kit_field_of(field, settings));
    kit_show_value(field, settings, text);
    if (field->kind == KIT_FIELD_FLAG)
        return json_boolean(*(const bool *)kit_field_of(field, settings));
    if (field->kind == KIT_FIELD_NUMBER || field->kind == KIT_FIELD_BOUND || field->kind == KIT_FIELD_MS)
        return json_integer(*(const uint32_t *)kit_field_of(field, settings));
    return json_string(text);
}

json_t *kit_settings_json(const kit_settings_t *settings, const kit_settings_t *base)
{
    json_t *object = json_object();

    for (size_t i = 0; i < kit_field_count; i++) {
        const kit_field_t *field = &kit_fields[i];
        if (field->group != NULL && strcmp(field->group, "workers") == 0 && !settings->workers.is_on)
            continue;
        json_t *into = object, *value = value_of(field, settings), *usual = base == NULL ? NULL : value_of(field, base);
        const bool is_usual = usual != NULL && json_equal(value, usual) != 0;
        json_decref(usual);
        if (is_usual) {
            json_decref(value);
            continue;
        }
        if (field->group != NULL) {
            into = json_object_get(object, field->group);
            if (into == NULL)
                json_object_set_new(object, field->group, into = json_object());
        }
        json_object_set_new(into, field->key, value);
    }
    return object;
}

const char *kit_document_course(const weir_set_t *set)
{
    static const char *const words[] = {"up", "paused", "stopped"};

    return words[atomic_load(&set->course)];
}

uint64_t kit_document_in_flight(const weir_set_t *set)
{
    uint64_t count = 0;

    for (size_t i = 0; i < set->member_count; i++)
        count += kit_in_flight(atomic_load(&set->members[i]->load));
    return count;
}

/* ---- domains ---- */

/* Looked for in the whole table, for an app does not know them. */
typedef struct search {
    const kit_app_t *app; /* NULL: of several */
    json_t *found;        /* of one app: a list; of several: lists by their names */
} search_t;

static void look_at(void *context, weir_span_t entry, void *of)
{
    const search_t *it = context;
    const kit_app_t *app = of;
    json_t *list = it->found;

    if (it->app != NULL && it->app != app)
        return;
    if (it->app == NULL)
        list = json_object_get(it->found, app->name); /* NULL: it is not wanted, which jansson takes */
    json_array_append_new(list, json_stringn(entry.base, entry.len));
}

/* ---- all of an app ---- */

const char *kit_document_source(const struct weir_kit *kit, const kit_app_t *app)
{
    const struct kit_overlay *overlay = kit_overlay_find(kit->instance, app->name);

    if (app->is_given)
        return "state";
    if (kit_app_is_written(kit, app))
        return "configuration";
    return overlay != NULL && overlay->own != NULL ? "operators" : "workers";
}

static json_t *document_of_app(const struct weir_kit *kit, const kit_app_t *app, bool is_effective, json_t *domains)
{
    const struct kit_overlay *overlay = kit_overlay_find(kit->instance, app->name);
    const weir_set_t *set = atomic_load(&app->set);
    const kit_settings_t *settings = atomic_load(&set->settings);
    kit_settings_t usual;

    kit_settings_default(&usual);
    json_t *document = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:I, s:{s:i}, s:o}", "app", app->name, "source",
                                 kit_document_source(kit, app), "seq", (json_int_t)(overlay == NULL ? 0 : overlay->seq),
                                 "state", kit_document_course(app->set), "domains", domains, "settings",
                                 kit_settings_json(settings, is_effective ? NULL : &usual), "in_flight",
                                 (json_int_t)kit_document_in_flight(app->set), "queue", "waiting",
                                 (int)kit_queue_count(app->set), "backends", kit_document_of_members(kit, app));
    kit_settings_free(&usual);
    return document;
}

json_t *kit_document_of_app(const struct weir_kit *kit, const kit_app_t *app, bool is_effective)
{
    search_t it = {app, json_array()};

    kit_domains_each(kit->domains, look_at, &it);
    return document_of_app(kit, app, is_effective, it.found);
}

static bool is_on(const kit_page_t *page, const kit_app_t *app)
{
    return !atomic_load(&app->is_gone) &&
           (page->prefix.base == NULL || strncmp(app->name, page->prefix.base, page->prefix.len) == 0) &&
           (page->after.base == NULL || strcmp(app->name, page->after.base) > 0);
}

/* Their lists of domains, still empty, by their names; and how many of all apps were looked at for that. */
static json_t *begin_lists(const kit_apps_t *apps, const kit_page_t *page, size_t *out_end)
{
    json_t *lists = json_object();

    for (*out_end = 0; *out_end < apps->count; ++*out_end) {
        if (!is_on(page, apps->at[*out_end]))
            continue;
        if (page->limit != 0 && json_object_size(lists) == page->limit)
            break;
        json_object_set_new(lists, apps->at[*out_end]->name, json_array());
    }
    return lists;
}

json_t *kit_document_of_apps(const struct weir_kit *kit, const kit_page_t *page, json_t **out_next)
{
    const kit_apps_t *apps = kit_apps(kit);
    const char *last = NULL;
    size_t end;
    search_t it = {NULL, begin_lists(apps, page, &end)};
    json_t *list = json_array();

    kit_domains_each(kit->domains, look_at, &it);
    for (size_t i = 0; i < end; i++) {
        if (!is_on(page, apps->at[i]))
            continue;
        last = apps->at[i]->name;
        kit_app_wake((struct weir_kit *)(uintptr_t)kit, apps->at[i]);
        json_array_append_new(list, document_of_app(kit, apps->at[i], false, json_incref(json_object_get(it.found, last))));
    }
    if (out_next != NULL)
        *out_next = end == apps->count ? json_null() : json_string(last);
    json_decref(it.found);
    return list;
}
