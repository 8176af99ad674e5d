/* SPDX-License-Identifier: MIT */
/* What `weir check` tells of apps: what holds for all of them, and what for each. */
#include <stdio.h>

#include "alloc.h"
#include "instance.h"
#include "settings_fields.h"

enum { TEXT_BYTES = KIT_SHOWN_BYTES, LEAST_MANY = 128, RARE = 10000, TIERS = 10 };

/* An app that is told of, or all of them: own and base NULL. */
typedef struct telling {
    const kit_settings_t *settings, *base; /* what holds for it, and for every app */
    const weir_config_t *own, *defaults;
    weir_show_t *show;
    unsigned depth;
} telling_t;

/* ---- values ---- */

static void add(char text[TEXT_BYTES], const char *more)
{
    const size_t length = strlen(text);

    snprintf(text + length, TEXT_BYTES - length, "%s%s", length == 0 ? "" : ", ", more);
}

static void write_words(const kit_field_t *field, uint32_t bits, char text[TEXT_BYTES])
{
    for (size_t i = 0; field->words[i] != NULL; i++)
        if ((bits >> i & 1) != 0)
            add(text, field->words[i]);
}

/* Neighbours together: 500, 502-504. */
static void write_status(const kit_status_set_t *set, char text[TEXT_BYTES])
{
    for (unsigned first = KIT_STATUS_LEAST, last; first <= KIT_STATUS_MOST; first = last + 1) {
        char piece[16];
        last = first;
        if (!kit_status_has(set, first))
            continue;
        while (last < KIT_STATUS_MOST && kit_status_has(set, last + 1))
            last++;
        snprintf(piece, sizeof(piece), first == last ? "%u" : "%u-%u", first, last);
        add(text, piece);
    }
}

void kit_show_value(const kit_field_t *field, const kit_settings_t *settings, char text[KIT_SHOWN_BYTES])
{
    const void *at = kit_field_of(field, settings);

    text[0] = '\0';
    switch (field->kind) {
    case KIT_FIELD_FLAG:
        add(text, *(const bool *)at ? "ON" : "OFF");
        return;
    case KIT_FIELD_NUMBER:
    case KIT_FIELD_BOUND:
    case KIT_FIELD_MS:
        snprintf(text, TEXT_BYTES, "%u", *(const unsigned *)at);
        return;
    case KIT_FIELD_LONG:
        snprintf(text, TEXT_BYTES, "%llu", (unsigned long long)*(const uint64_t *)at);
        return;
    case KIT_FIELD_WORD:
        add(text, field->words[*(const uint32_t *)at]);
        return;
    case KIT_FIELD_WORDS:
        write_words(field, *(const uint32_t *)at, text);
        break;
    case KIT_FIELD_STATUS:
        write_status(at, text);
        break;
    case KIT_FIELD_TOKENS:
        add(text, *(const char *const *)at != NULL ? "some, which are not shown" : "none");
        return;
    case KIT_FIELD_NAMES:
    case KIT_FIELD_TEXT:
    case KIT_FIELD_VALUE:
    case KIT_FIELD_PATH:
    case KIT_FIELD_CLIENT:
        add(text, *(const char *const *)at != NULL ? *(const char *const *)at : "");
        break;
    }
    if (text[0] == '\0')
        add(text, "none");
}

/* ---- where they stand ---- */

/* `retry-budget: 10` means its percent, and `affinity: ON` says nothing of the rest. */
static const weir_config_t *entry_of(const weir_config_t *map, const kit_field_t *field)
{
    const weir_config_t *group = field->group == NULL ? map : weir_config_get(map, field->group);

    if (field->group != NULL && weir_config_kind(group) == WEIR_CONFIG_SCALAR)
        return strcmp(field->key, "percent") == 0 ? group : NULL;
    return weir_config_get(group, field->key);
}

static const weir_config_t *source_of(const telling_t *it, const kit_field_t *field)
{
    const weir_config_t *own = entry_of(it->own, field);

    return own != NULL ? own : entry_of(it->defaults, field);
}

/* ---- what is told ---- */

static bool is_group(const kit_field_t *field, const char *group)
{
    return field->group != NULL && strcmp(field->group, group) == 0;
}

/* What means nothing is not told: the settings of what is off. */
static bool has_meaning(const kit_settings_t *settings, const kit_field_t *field)
{
    if (is_group(field, "affinity"))
        return settings->affinity.is_on;
    if (is_group(field, "health"))
        return settings->health.kind != KIT_HEALTH_NONE;
    if (is_group(field, "retry"))
        return settings->retry.on != 0;
    if (is_group(field, "workers"))
        return settings->workers.is_on;
    if (field->group == NULL && strncmp(field->key, "hash-", 5) == 0)
        return settings->choice.balance == KIT_HASH;
    return true;
}

/* What an app says itself, and what only means something because of that. */
static bool is_worth_telling(const telling_t *it, const kit_field_t *field)
{
    if (!has_meaning(it->settings, field))
        return false;
    return it->base == NULL || entry_of(it->own, field) != NULL || !has_meaning(it->base, field);
}

static void tell_field(const telling_t *it, const kit_field_t *field)
{
    const weir_config_t *source = source_of(it, field);
    char text[TEXT_BYTES], key[64];

    if (!is_worth_telling(it, field))
        return;
    kit_show_value(field, it->settings, text);
    snprintf(key, sizeof(key), "%s%s%s", field->group == NULL ? "" : field->group, field->group == NULL ? "" : ": ",
             field->key);
    weir_show_value(it->show, it->depth, key, text, source);
}

/* What is more than a field: whether there is affinity, checks, repeats; what is hashed. */
static void tell_switch(const telling_t *it, const char *key, bool is_on)
{
    const weir_config_t *own = weir_config_get(it->own, key), *source = own != NULL ? own : weir_config_get(it->defaults, key);

    if (it->base == NULL || own != NULL)
        weir_show_value(it->show, it->depth, key, is_on ? "ON" : "OFF", source);
}

static void tell_hash_on(const telling_t *it)
{
    static const char *const sources[] = {"client", "path", "path-query", "host", "header ", "cookie "};
    const weir_config_t *own = weir_config_get(it->own, "hash-on");
    char text[TEXT_BYTES] = "", piece[TEXT_BYTES];

    if (it->settings->choice.balance != KIT_HASH || (it->base != NULL && own == NULL))
        return;
    for (size_t i = 0; i < it->settings->hash_on_count; i++) {
        const kit_hash_on_t *on = &it->settings->hash_on[i];
        snprintf(piece, sizeof(piece), "%s%s", sources[on->source], on->name == NULL ? "" : on->name);
        add(text, piece);
    }
    weir_show_value(it->show, it->depth, "hash-on", text[0] == '\0' ? "none" : text,
                    own != NULL ? own : weir_config_get(it->defaults, "hash-on"));
}

static void tell_settings(const telling_t *it)
{
    tell_switch(it, "affinity", it->settings->affinity.is_on);
    tell_switch(it, "health", it->settings->health.kind != KIT_HEALTH_NONE);
    tell_switch(it, "retry", it->settings->retry.on != 0);
    tell_switch(it, "workers", it->settings->workers.is_on);
    tell_hash_on(it);
    for (size_t i = 0; i < kit_field_count; i++)
        tell_field(it, &kit_fields[i]);
}

/* ---- warnings ---- */

static const weir_config_t *place_of(const telling_t *it, const char *key)
{
    const weir_config_t *own = weir_config_get(it->own, key), *other = weir_config_get(it->defaults, key);

    return own != NULL ? own : other != NULL ? other : it->own;
}

static bool has_queue_length(const telling_t *it)
{
    return weir_config_get(weir_config_get(it->own, "queue"), "length") != NULL ||
           weir_config_get(weir_config_get(it->defaults, "queue"), "length") != NULL;
}

static void warn_of_settings(const telling_t *it, const kit_app_t *app)
{
    const kit_settings_t *settings = it->settings;

    if (settings->choice.balance == KIT_LEAST && app->wanted_count > LEAST_MANY)
        weir_show_warning(it->show, place_of(it, "balance"),
                          "the app `%s` has %u backends: `least` looks at all of them for each request; `best` does not",
                          app->name, app->wanted_count);
    if (settings->hold_ms > 0 && !has_queue_length(it))
        weir_show_warning(it->show, place_of(it, "hold"),
                          "the app `%s` holds requests, %u at most: say how many may wait, by `queue: { length: … }`",
                          app->name, settings->queue.length);
    if (settings->affinity.is_on && settings->affinity.key_file == NULL)
        weir_show_warning(it->show, place_of(it, "affinity"),
                          "the app `%s` has affinity without a `key-file`: browsers move whenever the proxy is started anew",
                          app->name);
}

/* All of them together; 0: there is no bound. */
static uint64_t slots_of(const kit_settings_t *settings, const kit_app_t *app)
{
    uint64_t slots = 0;

    for (size_t i = 0; i < app->wanted_count; i++) {
        const uint32_t limit = app->wanted[i].request_limit != 0 ? app->wanted[i].request_limit : settings->max_requests;
        if (limit == 0)
            return 0;
        slots += limit;
    }
    return slots;
}

static void warn_of_slots(const telling_t *it, const kit_app_t *app)
{
    const uint64_t slots = slots_of(it->settings, app);

    if (slots != 0 && slots < it->settings->choice.choices)
        weir_show_warning(it->show, place_of(it, "max-requests"),
                          "the app `%s` may have only %llu in flight at all its backends together", app->name,
                          (unsigned long long)slots);
}

static void warn_of_weights(const telling_t *it, const kit_app_t *app)
{
    const weir_config_t *backends = weir_config_get(it->own, "backends");
    uint64_t of_tier[TIERS] = {0};

    for (size_t i = 0; i < app->wanted_count; i++)
        of_tier[app->wanted[i].tier] += app->wanted[i].weight;
    for (size_t i = 0; i < app->wanted_count; i++) {
        const uint64_t all = of_tier[app->wanted[i].tier];
        if (app->wanted[i].weight > 0 && all > (uint64_t)app->wanted[i].weight * RARE)
            weir_show_warning(it->show, kit_entry_at(backends, i), "the backend `%s` of the app `%s` gets one request of %llu",
                              app->wanted[i].id, app->name, (unsigned long long)(all / app->wanted[i].weight));
    }
}

/* ---- all of it ---- */

static void tell_app(const telling_t *it, const kit_app_t *app)
{
    weir_show_value(it->show, 1, app->name, NULL, NULL);
    tell_settings(it);
    warn_of_settings(it, app);
    warn_of_slots(it, app);
    warn_of_weights(it, app);
}

/* An app tells what it says itself; of all others what is told for every app holds. */
void weir_kit_show(const weir_kit_t *kit, const weir_config_t *config, weir_show_t *show)
{
    const weir_config_t *defaults = weir_config_get(config, "defaults"), *apps = weir_config_get(config, "apps");
    kit_settings_t settings;

    kit_settings_default(&settings);
    if (kit_settings_read(defaults, &settings)) { /* it was, before */
        const telling_t all = {&settings, NULL, NULL, defaults, show, 2};
        weir_show_value(show, 0, "in force", NULL, NULL);
        weir_show_value(show, 1, "every app that does not say otherwise", NULL, NULL);
        tell_settings(&all);
    }
    for (size_t i = 0; i < kit->app_count && i < weir_config_count(apps); i++) {
        const telling_t it = {kit->apps[i].settings, &settings, weir_config_at(apps, i), defaults, show, 2};
        tell_app(&it, &kit->apps[i]);
    }
    kit_settings_free(&settings);
    if (weir_config_get(config, "apps-file") != NULL) {
        char text[32];
        snprintf(text, sizeof(text), "%zu", kit->app_count - weir_config_count(apps));
        weir_show_value(show, 1, "apps of apps-file", text, weir_config_get(config, "apps-file"));
    }
}
