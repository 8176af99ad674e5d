/* SPDX-License-Identifier: MIT */
#ifndef WEIR_T_STATE_WORLD_H
#define WEIR_T_STATE_WORLD_H
/**
 * @file  A step of state with somebody who puts documents in force: what is in force, how often it was put, and what is
 * refused. Time is what `now_us` says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/state/step.h"
#include "unit.h"

enum { FORCED_MOST = 1024 };

/* An app in force. */
typedef struct forced {
    char name[64];
    char *json; /* NULL: it is gone */
    unsigned puts;
} forced_t;

static state_step_t step;
static forced_t in_force[FORCED_MOST];
static size_t in_force_count, calls;
static uint64_t now_us;
static const char *poison; /* a document with this in it is refused */

static inline forced_t *forced(const char *name)
{
    for (size_t i = 0; i < in_force_count; i++)
        if (strcmp(in_force[i].name, name) == 0)
            return &in_force[i];
    assert_true(in_force_count < FORCED_MOST);
    snprintf(in_force[in_force_count].name, sizeof(in_force[0].name), "%s", name);
    return &in_force[in_force_count++];
}

/* "": it is not. */
static inline const char *json_of(const char *name)
{
    const char *json = forced(name)->json;

    return json == NULL ? "" : json;
}

static inline void put_in_force(void *context, state_change_t *changes, size_t count)
{
    (void)context;
    calls += count > 0;
    assert_true(count <= STATE_CHANGES_MOST);
    for (size_t i = 0; i < count; i++) {
        state_change_t *change = &changes[i];
        change->is_fine = change->json == NULL || poison == NULL || strstr(change->json, poison) == NULL;
        snprintf(change->why, sizeof(change->why), "%s", change->is_fine ? "" : "there is poison");
        if (!change->is_fine || change->is_trial)
            continue;
        forced_t *app = forced(change->app);
        free(app->json);
        app->json = change->json == NULL ? NULL : strdup(change->json);
        app->puts++;
    }
}

static inline int open_step(void **state)
{
    (void)state;
    now_us = 1000000;
    poison = NULL;
    calls = 0;
    state_step_init(&step, "/weir/v1/", put_in_force, NULL);
    step.logged_from_us = 1;
    step.logged = SIZE_MAX / 2; /* what is refused by purpose is not told */
    return 0;
}

static inline int close_step(void **state)
{
    (void)state;
    state_step_dispose(&step);
    for (size_t i = 0; i < in_force_count; i++)
        free(in_force[i].json);
    memset(in_force, 0, sizeof(in_force));
    in_force_count = 0;
    return 0;
}

static int64_t revision;

static inline void put_of(const char *key, const char *value, bool has_lease)
{
    state_step_put(&step, &(state_raw_t){{key, strlen(key)}, {value, strlen(value)}, ++revision, has_lease}, now_us);
}

static inline void puts_key(const char *key, const char *value)
{
    put_of(key, value, false);
}

static inline state_object_t *object_of(const char *key)
{
    return state_table_find(&step.table, (weir_span_t){key, strlen(key)});
}

/* It is no more in the store. */
static inline void loses(const char *key)
{
    state_object_t *object = object_of(key);

    assert_non_null(object);
    state_step_lose(&step, &object, 1, false, now_us);
}

static inline void commit(void)
{
    state_step_commit(&step, now_us);
}

/* Why a key is refused; "": it is not. */
static inline const char *why_not(const char *key)
{
    const state_trouble_t *trouble = state_troubles_find(&step.troubles, (weir_span_t){key, strlen(key)});

    return trouble == NULL ? "" : state_bad_words[trouble->bad];
}

#endif
