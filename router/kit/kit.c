/* SPDX-License-Identifier: MIT */
#include "weir_kit.h"

#include "alloc.h"
#include "asleep.h"
#include "check.h"
#include "config.h"
#include "instance.h"
#include "later.h"
#include "names.h"
#include "own.h"
#include "state_file.h"
#include "wanted.h"
#include "workers.h"

enum { TICK_MS = 100 };

/* ---- a configuration ---- */

weir_kit_t *weir_kit_open(const weir_config_t *config, const weir_kit_options_t *options)
{
    weir_kit_t *kit = kit_alloc(1, sizeof(*kit));

    if (options != NULL)
        memcpy(&kit->options, options, options->size < sizeof(*options) ? options->size : sizeof(*options));
    kit->domains = kit_domains_create(weir_retire);
    if (!kit_read(kit, config))
        weir_kit_close(&kit);
    return kit;
}

void kit_wanted_free(kit_wanted_t *wanted)
{
    for (size_t k = 0; k < wanted->label_count; k++) {
        free(wanted->labels[k].name);
        free(wanted->labels[k].value);
    }
    free(wanted->labels);
    free(wanted->place.host);
    free(wanted->zone);
    free(wanted->check_path);
    free(wanted->id);
}

static void free_wanted(kit_app_t *app)
{
    for (size_t i = 0; i < app->wanted_count; i++)
        kit_wanted_free(&app->wanted[i]);
    free(app->wanted);
    app->wanted = NULL;
    app->wanted_count = 0;
}

bool kit_app_is_written(const weir_kit_t *kit, const kit_app_t *app)
{
    return app >= kit->apps && app < kit->apps + kit->app_count;
}

void kit_app_free(const weir_kit_t *kit, kit_app_t *app)
{
    void *extra = atomic_load(&app->extra);

    free_wanted(app);
    if (app->is_packed)
        weir_state_text_release(app->text);
    else
        free(app->domains);
    if (app->settings != NULL)
        kit_settings_release(app->settings);
    if (app->manner != NULL)
        kit_manner_release(app->manner);
    if (extra != NULL && kit->options.free_app != NULL)
        kit->options.free_app(extra);
}

static void drop_sets(weir_kit_t *kit)
{
    if (kit->instance == NULL)
        return;
    pthread_mutex_lock(&kit->instance->lock);
    kit_own_publish(kit);
    kit->instance->asleep_count -= kit->asleep_count;
    const kit_apps_t *apps = kit_apps(kit);
    for (size_t i = 0; i < apps->count; i++) {
        kit_app_t *app = apps->at[i];
        for (size_t k = 0; k < app->wanted_count; k++)
            if (app->wanted[k].name != NULL)
                kit_name_release(app->wanted[k].name);
        if (app->set != NULL)
            kit_instance_drop(kit->instance, app->set);
    }
    kit_instance_sweep(kit->instance);
    pthread_mutex_unlock(&kit->instance->lock);
}

void weir_kit_close(weir_kit_t **slot)
{
    weir_kit_t *kit = *slot;

    if (kit == NULL)
        return;
    *slot = NULL;
    weir_kit_stop(kit);
    drop_sets(kit);
    kit_instance_release(&kit->instance);
    kit_domains_destroy(&kit->domains);
    kit_own_free(kit);
    kit_wanted_finish(&kit->wanted);
    for (size_t i = 0; i < kit->app_count; i++) {
        kit_app_free(kit, &kit->apps[i]);
        free(kit->apps[i].name);
    }
    free(kit->apps);
    free(atomic_load(&kit->by_name));
    kit_settings_release(kit->given_settings);
    json_decref(kit->defaults);
    free(kit->defaults_text);
    free(kit->state_path);
    free(kit->name);
    free(kit->zone);
    free(kit);
}

/* ---- putting it in force ---- */

/* The file was readable when the configuration was read. If it is not any more, keys are made, until the next reload. */
static kit_ring_t *ring_of(weir_kit_t *kit, const kit_settings_t *settings)
{
    const kit_affinity_settings_t *affinity = &settings->affinity;
    char problem[512] = "";

    if (!affinity->is_on)
        return NULL;
    kit_ring_t *ring = kit_ring_find(&kit->instance->rings, affinity->key_file, problem, sizeof(problem));
    if (ring != NULL)
        return ring;
    if (kit->host != NULL)
        weir_instance_log(kit->host, "%s", problem);
    return kit_ring_find(&kit->instance->rings, NULL, problem, sizeof(problem));
}

static void hold_names(const weir_kit_t *kit, kit_app_t *app, uint64_t now_us)
{
    for (size_t i = 0; i < app->wanted_count; i++)
        if (app->wanted[i].is_name && app->wanted[i].name == NULL)
            app->wanted[i].name = kit_name_hold(kit->instance, app->wanted[i].place.host, now_us);
}

static void apply(weir_kit_t *kit, kit_app_t *app, weir_set_t *set, uint64_t now_us)
{
    kit_composed_t composed;
    size_t count;
    bool is_waiting;

    atomic_store(&set->has_ticks, kit->host != NULL);
    hold_names(kit, app, now_us);
    kit_wanted_t *wanted = kit_names_expand(app, &count, &is_waiting);
    atomic_store(&set->awaits_names, is_waiting && kit->host != NULL);
    kit_overlay_compose(kit, app, wanted, count, &composed);
    kit_set_apply(set, composed.settings, ring_of(kit, composed.settings), app->manner, composed.wanted, composed.count,
                  kit->zone, now_us);
    kit_look_at(set); /* who has left, and who waits, is the ticks' */
    kit_composed_free(&composed);
    kit_names_free(wanted, count);
}

/* Its set can be found when it is whole: of one that sleeps, requests find the text until then. */
void kit_app_put_in_force(weir_kit_t *kit, kit_app_t *app, uint64_t now_us)
{
    kit_instance_t *instance = kit->instance;
    weir_set_t *set = atomic_load(&app->set);
    const bool is_first = set == NULL;

    if (is_first)
        pthread_mutex_lock(&instance->sets_lock);
    kit_app_unpack(kit, app);
    if (app->manner == NULL)
        app->manner = kit_manner_create();
    set = atomic_load(&app->set);
    if (set == NULL)
        set = kit_instance_set(instance, (weir_span_t){app->name, strlen(app->name)});
    apply(kit, app, set, now_us);
    atomic_store_explicit(&app->set, set, memory_order_release);
    kit_app_forget_text(kit, app);
    if (is_first)
        pthread_mutex_unlock(&instance->sets_lock);
}

/* One that sleeps here may be awake in another configuration. */
static bool has_set(const weir_kit_t *kit, const kit_app_t *app)
{
    return atomic_load(&app->set) != NULL ||
           kit_instance_find_set(kit->instance, (weir_span_t){app->name, strlen(app->name)}) != NULL;
}

static void put_all_in_force(weir_kit_t *kit)
{
    const uint64_t now_us = weir_instance_now_us(kit->host);
    const kit_apps_t *apps = kit_apps(kit);

    for (size_t i = 0; i < apps->count; i++)
        if (!apps->at[i]->is_packed || has_set(kit, apps->at[i]))
            kit_app_put_in_force(kit, apps->at[i], now_us);
}

/* A file of another name begins with what holds already; the first one is read. */
static void open_state(weir_kit_t *kit)
{
    kit_instance_t *instance = kit->instance;
    const bool is_first = instance->seq == 0;
    kit_state_found_t found;

    if (instance->file != NULL && kit->state_path != NULL && strcmp(kit_state_file_path(instance->file), kit->state_path) == 0)
        return;
    kit_state_file_close(&instance->file);
    if (kit->state_path == NULL)
        return;
    instance->file = kit_state_file_open(kit->state_path, kit->state_sync_ms, instance, is_first, &found);
    if (kit->host == NULL)
        return;
    if (instance->file == NULL)
        weir_instance_log(kit->host, "%s", found.problem);
    else if (found.records > 0 || found.skipped > 0 || found.is_torn)
        weir_instance_log(
            kit->host, "state-file %s: %zu records taken over%s; %zu lines skipped, which are not as they were written",
            kit->state_path, found.records, found.is_torn ? ", and the last line cut, which was not whole" : "", found.skipped);
}

/* Others of the same generation are as new. */
static void note_past(const weir_kit_t *newest)
{
    const uint64_t generation = newest->host == NULL ? 0 : weir_instance_generation(newest->host);

    for (weir_kit_t *kit = newest->instance->started; kit != NULL; kit = kit->started_before)
        atomic_store(&kit->is_past, kit->host != NULL && weir_instance_generation(kit->host) < generation);
}

void weir_kit_start(weir_kit_t *kit, weir_instance_t *instance)
{
    const char *name = kit->name != NULL ? kit->name : instance != NULL ? weir_instance_name(instance) : NULL;

    kit->host = instance;
    kit->instance = kit_instance_hold(name);
    pthread_mutex_lock(&kit->instance->lock);
    open_state(kit);
    if (kit->instance->started == NULL)
        kit_later_note_all(kit->instance);
    kit_own_apply(kit, weir_instance_now_us(instance));
    kit_workers_begin(kit);
    put_all_in_force(kit);
    kit_own_begin_courses(kit, weir_instance_now_us(instance));
    kit->started_before = kit->instance->started;
    kit->instance->started = kit;
    note_past(kit);
    pthread_mutex_unlock(&kit->instance->lock);
    if (instance != NULL)
        kit->ticker = weir_every(instance, TICK_MS, kit_tick, kit);
}

/* The newest one stops before the others if its configuration was refused after all: what was before is in force again. */
static void take_back(weir_kit_t *kit)
{
    const bool was_newest = kit->instance->started == kit;
    weir_kit_t **at = &kit->instance->started;

    while (*at != NULL && *at != kit)
        at = &(*at)->started_before;
    if (*at == NULL)
        return;
    *at = kit->started_before;
    if (!was_newest || kit->instance->started == NULL)
        return;
    note_past(kit->instance->started);
    put_all_in_force(kit->instance->started);
}

void weir_kit_stop(weir_kit_t *kit)
{
    weir_ticker_stop(&kit->ticker);
    if (kit->instance == NULL)
        return;
    pthread_mutex_lock(&kit->instance->lock);
    kit_check_end(kit);
    kit_names_end(kit);
    take_back(kit);
    pthread_mutex_unlock(&kit->instance->lock);
}

/* ---- finding ---- */

static weir_set_t *give(const weir_kit_t *kit, kit_app_t *app, void **out_extra)
{
    if (app != NULL && atomic_load_explicit(&app->is_gone, memory_order_relaxed))
        app = NULL;
    if (out_extra != NULL)
        *out_extra = app == NULL ? NULL : atomic_load_explicit(&app->extra, memory_order_acquire);
    weir_set_t *set = app == NULL ? NULL : atomic_load_explicit(&app->set, memory_order_acquire);
    return set != NULL || app == NULL ? set : kit_app_call(kit, app);
}

weir_set_t *weir_kit_find(const weir_kit_t *kit, weir_span_t host, weir_span_t path, void **out_extra)
{
    return give(kit, kit_domains_find(kit->domains, host, path).app, out_extra);
}

static int compare(const char *name, weir_span_t other)
{
    int order = strncmp(name, other.base, other.len);

    return order != 0 ? order : name[other.len] != '\0';
}

kit_app_t *kit_app_find(const weir_kit_t *kit, weir_span_t app)
{
    const kit_apps_t *apps = kit_apps(kit);
    size_t low = 0, high = apps->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(apps->at[middle]->name, app);
        if (order == 0)
            return apps->at[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

weir_set_t *weir_kit_set(const weir_kit_t *kit, weir_span_t app, void **out_extra)
{
    return give(kit, kit_app_find(kit, app), out_extra);
}
