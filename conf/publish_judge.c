/* SPDX-License-Identifier: MIT */
#include "conf/publish_judge.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/state/step.h"
#include "router/module.h"

/* A time that stands still: what is refused is told here, and not also by the step. */
enum { NOW_US = 1, TOLD_MOST = 100, ROUNDS_MOST = 100 };

#define DEFAULTS "config/defaults" /* what all apps say that do not say otherwise */

typedef struct judging {
    const conf_t *conf;
    state_step_t step;
    weir_state_app_t asked;
    char why[WEIR_STATE_WHY_BYTES];      /* what the router that refuses it says */
    const conf_publish_change_t **later; /* redirects that lead back as long as others are as they were */
    size_t later_count, told;
    bool is_fine;
    char app_why[2 * STATE_WHY_BYTES]; /* an app that was refused; empty: none was */
} judging_t;

/* ---- routers ---- */

static bool ask_routers(void *context, const weir_config_t *node)
{
    judging_t *it = context;

    it->asked.said = node;
    for (const conf_module_t *known = it->conf->modules; known != NULL; known = known->next)
        if (!weir_module_state(known->module, &it->asked, it->why))
            return false;
    it->why[0] = '\0'; /* some take it with a remark */
    return true;
}

/* Who says no says why there, or complains. */
static void ask(judging_t *it, state_change_t *change)
{
    char complaint[STATE_WHY_BYTES] = "";

    it->why[0] = '\0';
    it->asked = (weir_state_app_t){
        .size = sizeof(it->asked), .name = {change->app, strlen(change->app)}, .origin = change->app, .is_only_checked = true};
    change->is_fine = weir_config_of_text(change->json, strlen(change->json), ask_routers, it, complaint, sizeof(complaint));
    snprintf(change->why, sizeof(change->why), "%s", it->why[0] != '\0' ? it->why : complaint);
    if (!change->is_fine && !change->is_trial)
        snprintf(it->app_why, sizeof(it->app_why), "apps/%s: %s", change->app, change->why);
}

static void apply(void *context, state_change_t *changes, size_t count)
{
    judging_t *it = context;

    for (size_t i = 0; i < count; i++) {
        changes[i].is_fine = true;
        if (it->conf != NULL && changes[i].json != NULL)
            ask(it, &changes[i]);
    }
}

/* ---- keys ---- */

static const state_trouble_t *put(judging_t *it, const conf_publish_key_t *key)
{
    const weir_span_t name = {key->key, key->key_length};
    const state_raw_t raw = {name, {key->value, key->value_length}, 0, key->has_lease};

    state_step_put(&it->step, &raw, NOW_US);
    return state_troubles_find(&it->step.troubles, name);
}

static void touch_all(state_table_t *table)
{
    state_names_walk_t walk = {0};

    for (state_name_t *name; (name = state_names_next(&table->slots, &walk)) != NULL;)
        state_table_touch(table, WEIR_AROUND(name, state_slot_t, by_name));
}

static void remove_key(judging_t *it, const conf_publish_key_t *key)
{
    state_table_t *table = &it->step.table;
    state_object_t *object = state_table_find(table, (weir_span_t){key->key, key->key_length});
    const bool is_defaults = object != NULL && object == table->defaults;

    if (object != NULL)
        state_table_remove(table, object);
    if (is_defaults)
        touch_all(table);
}

/* As proxies have it that have followed the store so far: what they have refused is not there. */
static void load(judging_t *it, const conf_publish_keys_t *present)
{
    for (size_t i = 0; i < present->count; i++)
        (void)put(it, &present->at[i]);
    state_step_commit(&it->step, NOW_US);
    state_troubles_dispose(&it->step.troubles);
    state_troubles_init(&it->step.troubles);
    it->app_why[0] = '\0';
}

static void tell(judging_t *it, const char *key, const char *why)
{
    it->is_fine = false;
    if (it->told++ < TOLD_MOST)
        weir_log("%s: %s", key, why);
}

static bool has_kind(judging_t *it, const conf_publish_key_t *key)
{
    if (conf_publish_kind(key->key) != STATE_KINDS)
        return true;
    tell(it, key->key, "keys begin with apps/, backends/, domains/, config/ or certs/, or are meta");
    return false;
}

/* ---- in their order ---- */

/* Whether it is settled; else it is one for later. */
static bool change_one(judging_t *it, const conf_publish_change_t *change)
{
    WEIR_MUST(change != NULL);
    if (change->after == NULL) {
        remove_key(it, change->before);
        return true;
    }
    if (!has_kind(it, change->after))
        return true;
    const state_trouble_t *trouble = put(it, change->after);
    return trouble == NULL || trouble->bad != STATE_BAD_LOOP;
}

/* Redirects that are waiting for others, as long as that helps. Those that are in order stand behind `out`'s. */
static size_t change_later(judging_t *it, conf_publish_change_t *out)
{
    size_t settled = 0, before = SIZE_MAX;

    for (int round = 0; it->later_count > 0 && it->later_count < before && round < ROUNDS_MOST; round++) {
        size_t left = 0;
        before = it->later_count;
        for (size_t i = 0; i < before; i++) {
            if (change_one(it, it->later[i]))
                out[settled++] = *it->later[i];
            else
                it->later[left++] = it->later[i];
        }
        it->later_count = left;
    }
    return settled;
}

static void change_all(judging_t *it, conf_publish_changes_t *changes)
{
    conf_publish_change_t *ordered = calloc(changes->count + 1, sizeof(*ordered));
    size_t count = 0;

    it->later = calloc(changes->count + 1, sizeof(const conf_publish_change_t *));
    WEIR_MUST(ordered != NULL && it->later != NULL);
    for (size_t i = 0; i < changes->count; i++) {
        if (change_one(it, &changes->at[i]))
            ordered[count++] = changes->at[i];
        else
            it->later[it->later_count++] = &changes->at[i];
    }
    count += change_later(it, ordered + count);
    for (size_t i = 0; i < it->later_count; i++)
        if (it->later[i] != NULL)             /* always */
            ordered[count++] = *it->later[i]; /* they are told of */
    if (count > 0)
        memcpy(changes->at, ordered, count * sizeof(*ordered));
    free(ordered);
    free(it->later);
    state_step_commit(&it->step, NOW_US);
}

static void tell_troubles(judging_t *it, const conf_publish_changes_t *changes)
{
    const bool has_told = it->told > 0;
    bool has_defaults = false;

    for (size_t i = 0; i < changes->count; i++) {
        const conf_publish_key_t *after = changes->at[i].after;
        const state_trouble_t *trouble =
            after == NULL ? NULL : state_troubles_find(&it->step.troubles, (weir_span_t){after->key, after->key_length});
        has_defaults = has_defaults || (after != NULL && strcmp(after->key, DEFAULTS) == 0);
        if (trouble != NULL)
            tell(it, after->key, trouble->why);
    }
    if (it->step.troubles.by_key.count == 0 && !has_told && it->app_why[0] != '\0') {
        it->is_fine = false;
        weir_log("%s%s", has_defaults ? DEFAULTS ": " : "", it->app_why);
    }
    if (it->told > TOLD_MOST)
        weir_log("and %zu more", it->told - TOLD_MOST);
}

bool conf_publish_judge(const conf_t *conf, const conf_publish_keys_t *present, conf_publish_changes_t *changes)
{
    judging_t *it = calloc(1, sizeof(*it));

    WEIR_MUST(it != NULL);
    it->conf = conf;
    it->is_fine = true;
    state_step_init(&it->step, "", apply, it);
    it->step.logged_from_us = NOW_US;
    it->step.logged = SIZE_MAX / 2;
    load(it, present);
    conf_publish_changes_sort(changes);
    change_all(it, changes);
    tell_troubles(it, changes);
    const bool is_fine = it->is_fine;
    state_step_dispose(&it->step);
    free(it);
    return is_fine;
}
