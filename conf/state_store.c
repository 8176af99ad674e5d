/* SPDX-License-Identifier: MIT */
#include "conf/state_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/walk/steward.h"
#include "router/state.h"

enum { PUTS_AT_A_TIME = 64, ORIGIN_BYTES = 1024 };

struct conf_state_store {
    state_follow_t *follow;
    char *prefix, *text; /* as the directive says */
    bool is_direct;      /* before anybody serves, and when nothing is followed: on the calling thread */
    pthread_mutex_t lock;
    pthread_cond_t done;
    weir_letter_t letter;
    state_change_t *changes; /* that the steward is to put, and whoever follows waits for */
    size_t count, at;
};

/* ---- putting ---- */

static void put_one(const conf_state_store_t *store, state_change_t *change)
{
    const bool is_redirect = strncmp(change->app, "redirect-to:", 12) == 0;
    char origin[ORIGIN_BYTES];

    snprintf(origin, sizeof(origin), "etcd %s/v1/%s/", store->prefix, is_redirect ? "domains" : "apps");
    const weir_state_said_t said = {
        .app = change->app, .origin = origin, .adds_name = !is_redirect, .json = change->json, .has_more = change->has_more};
    change->is_fine = change->is_trial ? weir_state_would(&said, change->why) : weir_state_put(&said, change->why);
}

/* What it wanted of another app may have become its own by what that one said. */
static void look_again(state_change_t *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].is_fine && !changes[i].is_trial && changes[i].why[0] != '\0')
            (void)weir_state_problem(changes[i].app, changes[i].why);
}

/* On the steward; others of its turn are next behind some of them. */
static void on_changes(weir_letter_t *letter)
{
    conf_state_store_t *store = WEIR_AROUND(letter, conf_state_store_t, letter);
    size_t to = store->at + PUTS_AT_A_TIME;

    for (to = to < store->count ? to : store->count; store->at < to; store->at++)
        put_one(store, &store->changes[store->at]);
    if (store->at < store->count) {
        weir_list_init(&store->letter.link);
        weir_loop_post(weir_steward(), &store->letter);
        return;
    }
    look_again(store->changes, store->count);
    pthread_mutex_lock(&store->lock);
    store->changes = NULL;
    pthread_cond_signal(&store->done);
    pthread_mutex_unlock(&store->lock);
}

static void apply(void *context, state_change_t *changes, size_t count)
{
    conf_state_store_t *store = context;

    if (count == 0)
        return;
    if (store->is_direct) {
        for (size_t i = 0; i < count; i++)
            put_one(store, &changes[i]);
        look_again(changes, count);
        return;
    }
    pthread_mutex_lock(&store->lock);
    store->changes = changes;
    store->count = count;
    store->at = 0;
    weir_list_init(&store->letter.link);
    weir_loop_post(weir_steward(), &store->letter);
    while (store->changes != NULL)
        pthread_cond_wait(&store->done, &store->lock);
    pthread_mutex_unlock(&store->lock);
}

/* ---- life ---- */

static void note(conf_state_store_t *store, const conf_etcd_t *etcd)
{
    free(store->prefix);
    free(store->text);
    store->prefix = strdup(etcd->follow.prefix);
    store->text = strdup(etcd->text);
    WEIR_MUST(store->prefix != NULL && store->text != NULL);
}

bool conf_state_store_is_as(const conf_state_store_t *store, const conf_etcd_t *etcd)
{
    return strcmp(store->text, etcd->text) == 0;
}

conf_state_store_t *conf_state_store_start(const conf_etcd_t *etcd, char problem[static STATE_FOLLOW_PROBLEM_BYTES])
{
    conf_state_store_t *store = calloc(1, sizeof(*store));

    WEIR_MUST(store != NULL && pthread_mutex_init(&store->lock, NULL) == 0 && pthread_cond_init(&store->done, NULL) == 0);
    store->letter.open = on_changes;
    note(store, etcd);
    store->follow = state_follow_create(&etcd->follow, apply, store, problem);
    if (store->follow == NULL) {
        conf_state_store_stop(&store);
        return NULL;
    }
    store->is_direct = true;
    state_follow_load(store->follow);
    store->is_direct = false;
    state_follow_start(store->follow);
    return store;
}

bool conf_state_store_change(conf_state_store_t *store, const conf_etcd_t *etcd,
                             char problem[static STATE_FOLLOW_PROBLEM_BYTES])
{
    state_follow_t *follow = state_follow_create(&etcd->follow, apply, store, problem);

    if (follow == NULL)
        return false;
    const bool is_same_place = strcmp(store->prefix, etcd->follow.prefix) == 0;
    state_follow_stop(store->follow);
    note(store, etcd);
    state_follow_inherit(follow, store->follow, is_same_place);
    state_follow_destroy(&store->follow);
    store->follow = follow;
    state_follow_start(follow);
    return true;
}

static void end(conf_state_store_t **slot, bool leaves)
{
    conf_state_store_t *store = *slot;

    *slot = NULL;
    if (store == NULL)
        return;
    if (store->follow != NULL) {
        state_follow_stop(store->follow);
        if (leaves)
            state_follow_withdraw(store->follow);
    }
    state_follow_destroy(&store->follow);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->done);
    free(store->prefix);
    free(store->text);
    free(store);
}

void conf_state_store_stop(conf_state_store_t **slot)
{
    end(slot, false);
}

void conf_state_store_leave(conf_state_store_t **slot)
{
    end(slot, true);
}

bool conf_state_store_accept(conf_state_store_t *store)
{
    return state_follow_accept(store->follow);
}

void conf_state_store_retry(conf_state_store_t *store)
{
    state_follow_retry(store->follow);
}

void conf_state_store_tell(conf_state_store_t *store, state_follow_facts_t *out)
{
    state_follow_tell(store->follow, out);
}

void conf_state_store_each(conf_state_store_t *store, void (*visit)(const state_follow_trouble_t *trouble, void *context),
                           void *context)
{
    state_follow_each(store->follow, visit, context);
}
