/* SPDX-License-Identifier: MIT */
#include "own.h"

#include <stddef.h>
#include <stdio.h>

#include "alloc.h"
#include "config.h"
#include "document.h"
#include "names.h"
#include "wall.h"
#include "weir_digest.h"
#include "weir_retire.h"

enum { PROBLEM_BYTES = 512, DIGEST_BYTES = 17, PENDING_MOST = 2048, PUBLISH_US = 1000000, CHAINS_FIRST = 16 };

/* ---- reading ---- */

typedef struct reading {
    struct weir_kit *kit;
    kit_app_t *app;
} reading_t;

static bool read_app(void *of, const weir_config_t *root)
{
    const reading_t *it = of;

    return kit_read_own(it->kit, it->app, weir_config_get(root, "app"), weir_config_get(root, "defaults"));
}

/* Its backends come from the overlay, as those do that are added later. */
static void forget_backends(kit_app_t *app)
{
    for (size_t i = 0; i < app->wanted_count; i++)
        kit_wanted_free(&app->wanted[i]);
    app->wanted_count = 0;
}

kit_own_t *kit_own_create(const char *name)
{
    const size_t bytes = strlen(name) + 1;
    kit_own_t *own = kit_alloc(1, sizeof(*own) + bytes);

    own->app.name = memcpy(own + 1, name, bytes);
    return own;
}

kit_own_t *kit_own_of(kit_app_t *app)
{
    return (kit_own_t *)(void *)((char *)app - offsetof(kit_own_t, app));
}

kit_own_t *kit_own_read(struct weir_kit *kit, const char *name, const json_t *document, char *problem, size_t bytes)
{
    kit_own_t *own = kit_own_create(name);
    json_t *both = json_pack("{s:O}", "app", document);
    reading_t it = {kit, &own->app};

    if (kit->defaults != NULL)
        json_object_set(both, "defaults", kit->defaults);
    char *text = json_dumps(both, JSON_COMPACT);
    json_decref(both);
    const bool is_fine = weir_config_of_text(text, strlen(text), read_app, &it, problem, bytes);
    free(text);
    forget_backends(&own->app);
    if (is_fine)
        return own;
    kit_own_discard(kit, own);
    return NULL;
}

void kit_own_discard(const struct weir_kit *kit, kit_own_t *read)
{
    if (read == NULL)
        return;
    kit_app_free(kit, &read->app);
    free(read);
}

/* ---- finding ---- */

static size_t chain_of(const struct weir_kit *kit, const char *name)
{
    static const uint64_t key[2] = {0x6b6974, 0x6f776e}; /* whoever names apps is trusted with them */

    return weir_siphash(key, (weir_span_t){name, strlen(name)}) & (kit->own_chains - 1);
}

static void link_own(struct weir_kit *kit, kit_own_t *own)
{
    const size_t at = chain_of(kit, own->app.name);

    own->next = kit->own[at];
    kit->own[at] = own;
}

static void keep(struct weir_kit *kit, kit_own_t *own)
{
    const size_t before = kit->own_chains;
    kit_own_t **chains = kit->own;

    if (kit->own_count++ >= 2 * before) {
        kit->own_chains = before == 0 ? CHAINS_FIRST : 2 * before;
        kit->own = kit_alloc(kit->own_chains, sizeof(kit->own[0]));
        for (size_t i = 0; i < before; i++)
            for (kit_own_t *at = chains[i], *next; at != NULL; at = next) {
                next = at->next;
                link_own(kit, at);
            }
        free((void *)chains);
    }
    link_own(kit, own);
}

const kit_apps_t *kit_apps(const struct weir_kit *kit)
{
    static const kit_apps_t none = {0};
    const kit_apps_t *apps = atomic_load_explicit(&kit->by_name, memory_order_acquire);

    return apps == NULL ? &none : apps;
}

/* How many of a list in the order of names come before this one. */
static size_t place_of(kit_app_t *const *apps, size_t count, const char *name)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(apps[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of two lists in the order of names, of which the second is the shorter one. */
static kit_apps_t *merge(const kit_apps_t *one, kit_app_t *const *other, size_t count)
{
    kit_apps_t *apps = kit_alloc(1, sizeof(*apps) + (one->count + count) * sizeof(apps->at[0]));
    kit_app_t **to = apps->at;
    size_t from = 0;

    apps->count = one->count + count;
    for (size_t k = 0; k < count; k++) {
        const size_t before = place_of(one->at + from, one->count - from, other[k]->name);
        memcpy(to, one->at + from, before * sizeof(to[0]));
        from += before;
        to += before;
        *to++ = other[k];
    }
    memcpy(to, one->at + from, (one->count - from) * sizeof(to[0]));
    return apps;
}

/* Nobody reads what is gathered: it may go at once. */
static void gather(struct weir_kit *kit)
{
    static const kit_apps_t none = {0};
    kit_apps_t *before = kit->gathered;

    if (kit->pending_count == 0)
        return;
    kit->gathered = merge(before == NULL ? &none : before, kit->pending, kit->pending_count);
    free(before);
    kit->pending_count = 0;
}

void kit_own_publish(struct weir_kit *kit)
{
    const kit_apps_t *present = kit_apps(kit), *longer, *shorter;

    gather(kit);
    free(kit->pending);
    kit->pending = NULL;
    if (kit->gathered == NULL)
        return;
    longer = present->count >= kit->gathered->count ? present : kit->gathered;
    shorter = longer == present ? kit->gathered : present;
    kit_apps_t *old = atomic_exchange_explicit(&kit->by_name, merge(longer, shorter->at, shorter->count), memory_order_acq_rel);
    free(kit->gathered);
    kit->gathered = NULL;
    if (old != NULL)
        weir_retire(old, free);
}

void kit_own_publish_late(struct weir_kit *kit, uint64_t now_us)
{
    if (kit_since(now_us, kit->published_at_us) < PUBLISH_US)
        return;
    kit->published_at_us = now_us;
    kit_own_publish(kit);
}

static void publish(struct weir_kit *kit, kit_app_t *app)
{
    if (kit->pending == NULL)
        kit->pending = kit_alloc(PENDING_MOST, sizeof(kit->pending[0]));
    const size_t at = place_of(kit->pending, kit->pending_count, app->name);
    memmove(kit->pending + at + 1, kit->pending + at, (kit->pending_count - at) * sizeof(kit->pending[0]));
    kit->pending[at] = app;
    if (++kit->pending_count == PENDING_MOST)
        gather(kit);
    if (!kit->has_more)
        kit_own_publish(kit);
}

kit_app_t *kit_own_find(const struct weir_kit *kit, const char *name)
{
    kit_own_t *own = kit->own_chains == 0 ? NULL : kit->own[chain_of(kit, name)];

    while (own != NULL && strcmp(own->app.name, name) != 0)
        own = own->next;
    if (own != NULL)
        return &own->app;
    return kit->app_count == 0 ? NULL : kit_app_find(kit, (weir_span_t){name, strlen(name)});
}

/* ---- in force ---- */

/* Requests that are under way may have found the router's part of before: it stays as long as the configuration. */
static void keep_extra(struct weir_kit *kit, void *extra)
{
    kit_own_t *keeper;

    if (extra == NULL)
        return;
    keeper = kit_own_create("");
    atomic_init(&keeper->app.extra, extra);
    keeper->next = kit->keepers;
    kit->keepers = keeper;
}

static bool is_same_extra(const struct weir_kit *kit, const kit_app_t *app, const kit_app_t *read)
{
    const void *before = atomic_load(&app->extra), *now = atomic_load(&read->extra);

    return before == NULL || now == NULL ? before == now
                                         : kit->options.is_same_app != NULL && kit->options.is_same_app(before, now);
}

void kit_own_take_extra(struct weir_kit *kit, kit_app_t *app, kit_app_t *read)
{
    if (!is_same_extra(kit, app, read))
        keep_extra(kit, atomic_exchange(&app->extra, atomic_exchange(&read->extra, NULL)));
}

/* What was before stands in `read` then. */
static void replace(struct weir_kit *kit, kit_app_t *app, kit_own_t *read)
{
    const kit_app_t before = {
        .settings = app->settings, .manner = app->manner, .wanted = app->wanted, .wanted_count = app->wanted_count};

    app->settings = read->app.settings;
    if (before.manner == NULL || !kit_manner_is_as(before.manner, read->app.manner)) { /* else addresses stay what they are */
        app->manner = read->app.manner;
        read->app.manner = before.manner;
    }
    app->wanted = read->app.wanted;
    app->wanted_count = read->app.wanted_count;
    app->is_given = read->app.is_given;
    kit_own_take_extra(kit, app, &read->app);
    read->app.settings = before.settings;
    read->app.wanted = before.wanted;
    read->app.wanted_count = before.wanted_count;
}

static void discard_replaced(const struct weir_kit *kit, kit_own_t *read)
{
    for (size_t i = 0; i < read->app.wanted_count; i++)
        if (read->app.wanted[i].name != NULL)
            kit_name_release(read->app.wanted[i].name);
    kit_own_discard(kit, read);
}

/* A request that calls it while it sleeps finds the one or the other. */
static void take_place(struct weir_kit *kit, kit_app_t *app, kit_own_t *read, uint64_t now_us)
{
    const bool is_asleep = atomic_load(&app->set) == NULL;

    if (is_asleep)
        pthread_mutex_lock(&kit->instance->sets_lock);
    replace(kit, app, read);
    kit_app_put_in_force(kit, app, now_us);
    if (is_asleep)
        pthread_mutex_unlock(&kit->instance->sets_lock);
}

void kit_own_add(struct weir_kit *kit, kit_own_t *read)
{
    keep(kit, read);
    publish(kit, &read->app);
}

kit_app_t *kit_own_take(struct weir_kit *kit, kit_own_t *read, uint64_t now_us)
{
    kit_app_t *app = kit_own_find(kit, read->app.name);

    if (app != NULL) {
        take_place(kit, app, read, now_us);
        atomic_store(&app->is_gone, false);
        discard_replaced(kit, read);
        return app;
    }
    kit_app_put_in_force(kit, &read->app, now_us);
    kit_own_add(kit, read);
    return &read->app;
}

void kit_own_empty(struct weir_kit *kit, kit_own_t *own, uint64_t now_us)
{
    if (atomic_load(&own->app.set) == NULL)
        return; /* it has slept */
    kit_own_t *before = kit_own_create("");
    before->app.wanted = own->app.wanted;
    before->app.wanted_count = own->app.wanted_count;
    own->app.wanted = NULL;
    own->app.wanted_count = 0;
    kit_app_put_in_force(kit, &own->app, now_us);
    discard_replaced(kit, before);
}

static void discard_all(const struct weir_kit *kit, kit_own_t *own)
{
    for (kit_own_t *next; own != NULL; own = next) {
        next = own->next;
        kit_own_discard(kit, own);
    }
}

void kit_own_free(struct weir_kit *kit)
{
    for (size_t i = 0; i < kit->own_chains; i++)
        discard_all(kit, kit->own[i]);
    discard_all(kit, kit->keepers);
    free((void *)kit->own);
    kit->own = NULL;
    kit->keepers = NULL;
    kit->own_chains = kit->own_count = 0;
    free(kit->pending);
    free(kit->gathered);
    kit->pending = NULL;
    kit->gathered = NULL;
}

/* ---- a configuration begins ---- */

json_t *kit_app_digest(const kit_app_t *app)
{
    static const uint64_t key[2] = {0x6b6974, 0x646967};
    json_t *parts = json_pack("[o]", kit_settings_json(app->settings, NULL));
    char word[DIGEST_BYTES];

    for (size_t i = 0; i < app->wanted_count; i++)
        json_array_append_new(parts, kit_wanted_json(&app->wanted[i]));
    char *text = json_dumps(parts, JSON_COMPACT);
    snprintf(word, sizeof(word), "%016llx", (unsigned long long)weir_siphash(key, (weir_span_t){text, strlen(text)}));
    free(text);
    json_decref(parts);
    return json_string(word);
}

static void say(const struct weir_kit *kit, const char *kind, const char *name, const char *what)
{
    if (kit->host != NULL)
        weir_instance_log(kit->host, "%s %s: what was changed while the proxy ran is dropped: %s", kind, name, what);
}

static void begin_own(struct weir_kit *kit, const struct kit_overlay *overlay, uint64_t now_us)
{
    char problem[PROBLEM_BYTES];
    kit_own_t *read = kit_own_read(kit, overlay->app, overlay->own, problem, sizeof(problem));

    if (read != NULL) {
        kit_own_take(kit, read, now_us);
        return;
    }
    say(kit, "app", overlay->app, problem);
    kit_overlay_forget(kit->instance, overlay->app);
}

static void begin_gone(struct weir_kit *kit, struct kit_overlay *overlay, kit_app_t *app)
{
    if (app == NULL && kit->takes_state)
        return; /* it may come yet: given.c */
    json_t *present = app == NULL ? NULL : kit_app_digest(app);
    const bool is_same = present != NULL && json_equal(present, overlay->gone) != 0;

    json_decref(present);
    if (is_same) {
        atomic_store(&app->is_gone, true);
        return;
    }
    if (app != NULL)
        say(kit, "app", overlay->app, "the configuration says something new of it");
    json_decref(overlay->gone);
    overlay->gone = NULL;
}

static void begin_app(struct weir_kit *kit, struct kit_overlay *overlay, uint64_t now_us)
{
    kit_app_t *app = kit_app_find(kit, (weir_span_t){overlay->app, strlen(overlay->app)});

    if (overlay->gone != NULL)
        begin_gone(kit, overlay, app);
    if (overlay->own == NULL)
        return;
    if (app == NULL) {
        begin_own(kit, overlay, now_us);
        return;
    }
    say(kit, "app", overlay->app, "the configuration has one of that name");
    json_decref(overlay->own);
    overlay->own = NULL;
}

bool kit_own_place_domain(struct weir_kit *kit, const char *entry, const char *app)
{
    const weir_span_t span = {entry, strlen(entry)};
    kit_app_t *found = app == NULL ? NULL : kit_own_find(kit, app);
    bool is_full = false;

    if (found == NULL)
        (void)kit_domains_remove(kit->domains, span);
    else if (!kit_domains_move(kit->domains, span, found))
        (void)kit_domains_add(kit->domains, span, found, &is_full);
    return (found != NULL) == (app != NULL) && !is_full;
}

/* False: it does not hold beside this configuration. */
static bool begin_domain(struct weir_kit *kit, const kit_domain_edit_t *edit)
{
    const weir_span_t entry = {edit->entry, strlen(edit->entry)};
    const kit_app_t *present = kit_domains_owner(kit->domains, entry);
    const char *name = present == NULL ? NULL : present->name;

    if (kit->takes_state &&
        ((name == NULL && edit->base != NULL) || (edit->app != NULL && kit_own_find(kit, edit->app) == NULL)))
        return true; /* its app may come yet: given.c */
    if ((name == NULL) != (edit->base == NULL) || (name != NULL && strcmp(name, edit->base) != 0)) {
        say(kit, "domain", edit->entry, "the configuration says something new of it");
        return false;
    }
    if (kit_own_place_domain(kit, edit->entry, edit->app))
        return true;
    say(kit, "domain", edit->entry, "its app is no more, or it has too many prefixes");
    return false;
}

void kit_own_apply(struct weir_kit *kit, uint64_t now_us)
{
    kit_instance_t *instance = kit->instance;
    void **overlays = kit_keyed_all(&instance->overlays), **edits = kit_keyed_all(&instance->domain_edits);
    const size_t overlay_count = instance->overlays.count, edit_count = instance->domain_edits.count;

    for (size_t i = 0; i < overlay_count; i++)
        begin_app(kit, overlays[i], now_us);
    for (size_t i = 0; i < edit_count; i++) {
        const kit_domain_edit_t *edit = edits[i];
        if (!begin_domain(kit, edit))
            kit_domain_edit_drop(instance, edit->entry);
    }
    free(overlays);
    free(edits);
}

static void begin_course(weir_set_t *set, const json_t *course, uint64_t now_us)
{
    const uint64_t until_ms = (uint64_t)json_integer_value(json_object_get(course, "paused_until_ms")),
                   present_ms = kit_wall_ms();

    if (json_is_string(course)) {
        atomic_store(&set->course, KIT_STOPPED);
        return;
    }
    atomic_store(&kit_activity_of(set)->pause_until_us, now_us + (until_ms > present_ms ? (until_ms - present_ms) * 1000 : 0));
    atomic_store(&set->course, KIT_PAUSED);
    kit_use(set);
}

void kit_own_begin_courses(struct weir_kit *kit, uint64_t now_us)
{
    void **overlays = kit_keyed_all(&kit->instance->overlays);

    for (size_t i = 0; i < kit->instance->overlays.count; i++) {
        const struct kit_overlay *overlay = overlays[i];
        const kit_app_t *app = kit_app_find(kit, (weir_span_t){overlay->app, strlen(overlay->app)});
        if (overlay->course != NULL && app != NULL && app->set != NULL && atomic_load(&app->set->course) == KIT_RUNNING)
            begin_course(app->set, overlay->course, now_us);
    }
    free(overlays);
}
