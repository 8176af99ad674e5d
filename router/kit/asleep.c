/* SPDX-License-Identifier: MIT */
#include "asleep.h"

#include <stdio.h>

#include "alloc.h"
#include "config.h"
#include "given.h"
#include "workers.h"

enum { ASLEEP_IN_A_CHAIN = 4 /* most never wake */ };

static weir_span_t name_of(const kit_app_t *app)
{
    return (weir_span_t){app->name, strlen(app->name)};
}

/* ---- to bed ---- */

static bool is_plain(const kit_app_t *read)
{
    const kit_settings_t *settings = read->settings;

    if (read->wanted_count > KIT_ASLEEP_MOST || read->manner->tls != NULL || read->manner->protocol == WEIR_FASTCGI)
        return false;
    for (size_t i = 0; i < read->wanted_count; i++)
        if (read->wanted[i].is_name)
            return false;
    return settings->health.kind == KIT_HEALTH_NONE && !settings->affinity.is_on && !settings->workers.is_on;
}

bool kit_app_may_sleep(const struct weir_kit *kit, const kit_app_t *present, const kit_app_t *read)
{
    if (present != NULL && atomic_load(&present->set) != NULL)
        return false;
    return is_plain(read) && kit_overlay_find(kit->instance, read->name) == NULL && !kit_workers_has(read->name) &&
           kit_instance_find_set(kit->instance, name_of(read)) == NULL;
}

/* What a set is made of is in the text. */
static void strip(kit_app_t *app)
{
    app->asleep_count = (uint8_t)app->wanted_count;
    for (size_t i = 0; i < app->wanted_count; i++)
        kit_wanted_free(&app->wanted[i]);
    free(app->wanted);
    app->wanted = NULL;
    app->wanted_count = 0;
    kit_manner_release(app->manner);
    app->manner = NULL;
}

static void pack(kit_app_t *app, weir_state_text_t *text)
{
    if (app->is_packed)
        weir_state_text_release(app->text);
    else
        free(app->domains);
    app->is_packed = text != NULL;
    app->text = weir_state_text_hold(text);
}

static kit_app_t *lay_down_new(struct weir_kit *kit, kit_own_t *read, weir_state_text_t *text)
{
    kit_instance_t *instance = kit->instance;

    strip(&read->app);
    pack(&read->app, text);
    pthread_mutex_lock(&instance->sets_lock);
    kit->asleep_count++;
    kit_instance_expect(instance, (instance->set_count + ++instance->asleep_count) / ASLEEP_IN_A_CHAIN);
    pthread_mutex_unlock(&instance->sets_lock);
    kit_own_add(kit, read);
    return &read->app;
}

kit_app_t *kit_app_lay_down(struct weir_kit *kit, kit_app_t *present, kit_own_t *read, weir_state_text_t *text)
{
    kit_instance_t *instance = kit->instance;

    if (present == NULL)
        return lay_down_new(kit, read, text);
    pthread_mutex_lock(&instance->sets_lock);
    const bool sleeps = atomic_load(&present->set) == NULL;
    if (sleeps) {
        kit_settings_t *before = present->settings;
        present->settings = read->app.settings;
        read->app.settings = before;
        pack(present, text);
    }
    pthread_mutex_unlock(&instance->sets_lock);
    if (!sleeps)
        return NULL;
    kit_own_take_extra(kit, present, &read->app);
    strip(&read->app);
    present->asleep_count = read->app.asleep_count;
    present->is_given = true;
    kit_own_discard(kit, read);
    return present;
}

void kit_app_forget_text(struct weir_kit *kit, kit_app_t *app)
{
    if (!app->is_packed)
        return;
    pthread_mutex_lock(&kit->instance->sets_lock);
    pack(app, NULL);
    pthread_mutex_unlock(&kit->instance->sets_lock);
}

/* ---- a request calls it ---- */

/* Nobody else knows of the set yet. */
static weir_set_t *make_set(const struct weir_kit *kit, const kit_app_t *app)
{
    kit_own_t *read = kit_given_read_again(kit, app);
    weir_set_t *set = kit_set_create(kit->instance, name_of(app));

    kit_set_apply(set, kit_settings_hold(app->settings), NULL, read->app.manner, read->app.wanted, read->app.wanted_count,
                  kit->zone, weir_instance_now_us(kit->host));
    atomic_store(&set->has_ticks, kit->host != NULL);
    kit_own_discard(kit, read);
    return set;
}

/* One of a past configuration serves what that still has, and is nobody else's. */
static weir_set_t *set_for(const struct weir_kit *kit, const kit_app_t *app)
{
    const bool is_past = atomic_load(&kit->is_past);
    weir_set_t *set = is_past ? NULL : kit_instance_find_set(kit->instance, name_of(app));

    if (set == NULL) {
        set = make_set(kit, app);
        if (!is_past)
            kit_instance_add_set(kit->instance, set);
    }
    set->holders++;
    return set;
}

weir_set_t *kit_app_call(const struct weir_kit *kit, kit_app_t *app)
{
    kit_instance_t *instance = kit->instance;

    if (instance == NULL)
        return NULL;
    pthread_mutex_lock(&instance->sets_lock);
    weir_set_t *set = atomic_load(&app->set);
    if (set == NULL && app->is_packed) {
        set = set_for(kit, app);
        atomic_store_explicit(&app->set, set, memory_order_release);
    }
    pthread_mutex_unlock(&instance->sets_lock);
    return set;
}

/* ---- somebody looks ---- */

void kit_app_unpack(struct weir_kit *kit, kit_app_t *app)
{
    if (!app->is_packed || app->manner != NULL)
        return;
    kit_own_t *read = kit_given_read_again(kit, app);
    pack(app, NULL);
    app->wanted = read->app.wanted;
    app->wanted_count = read->app.wanted_count;
    app->manner = read->app.manner;
    app->domains = read->app.domains;
    read->app.wanted = NULL;
    read->app.wanted_count = 0;
    read->app.manner = NULL;
    read->app.domains = NULL;
    kit_own_discard(kit, read);
}

void kit_app_wake(struct weir_kit *kit, kit_app_t *app)
{
    if (!app->is_packed)
        return;
    if (atomic_load(&app->set) == NULL)
        kit_app_put_in_force(kit, app, weir_instance_now_us(kit->host));
    else
        kit_app_unpack(kit, app);
}

kit_app_t *kit_app_awake(const struct weir_kit *kit, weir_span_t name)
{
    kit_app_t *app = kit_app_find(kit, name);

    if (app != NULL)
        kit_app_wake((struct weir_kit *)(uintptr_t)kit, app);
    return app;
}
