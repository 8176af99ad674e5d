/* SPDX-License-Identifier: MIT */
#include "lib/state/trouble.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/list.h"
#include "lib/base/must.h"

static state_trouble_t *trouble_of(const state_name_t *name)
{
    return WEIR_AROUND(name, state_trouble_t, by_key);
}

static weir_span_t key_text(const state_name_t *name)
{
    const state_trouble_t *trouble = trouble_of(name);

    return (weir_span_t){trouble->key, trouble->key_length};
}

static void destroy(state_trouble_t *trouble)
{
    free(trouble->why);
    free(trouble->value);
    free(trouble);
}

void state_troubles_init(state_troubles_t *troubles)
{
    *troubles = (state_troubles_t){0};
    state_names_init(&troubles->by_key, key_text);
}

void state_troubles_dispose(state_troubles_t *troubles)
{
    state_names_walk_t walk = {0};

    for (state_name_t *name; (name = state_names_next(&troubles->by_key, &walk)) != NULL;)
        destroy(trouble_of(name));
    state_names_dispose(&troubles->by_key);
}

const state_trouble_t *state_troubles_find(const state_troubles_t *troubles, weir_span_t key)
{
    const state_name_t *name = state_names_find(&troubles->by_key, key);

    return name == NULL ? NULL : trouble_of(name);
}

static bool is_the_same(const state_trouble_t *trouble, const state_raw_t *raw)
{
    const size_t kept = raw->value.len <= STATE_VALUE_MOST ? raw->value.len : 0;

    return trouble != NULL && trouble->mod_revision == raw->mod_revision && trouble->value_length == kept &&
           (kept == 0 || memcmp(trouble->value, raw->value.base, kept) == 0);
}

bool state_troubles_add(state_troubles_t *troubles, const state_raw_t *raw, state_bad_t bad, const char *why)
{
    const bool is_new = !is_the_same(state_troubles_find(troubles, raw->key), raw);
    const size_t kept = raw->value.len <= STATE_VALUE_MOST ? raw->value.len : 0;

    troubles->refused += is_new;
    state_troubles_drop(troubles, raw->key);
    if (troubles->by_key.count >= STATE_TROUBLES_MOST || raw->key.len > UINT16_MAX)
        return is_new;
    state_trouble_t *trouble = calloc(1, sizeof(*trouble) + raw->key.len + 1);
    WEIR_MUST(trouble != NULL);
    trouble->mod_revision = raw->mod_revision;
    trouble->bad = bad;
    trouble->generation = troubles->generation;
    trouble->has_lease = raw->has_lease;
    trouble->why = strdup(why);
    trouble->value = malloc(kept + 1);
    WEIR_MUST(trouble->why != NULL && trouble->value != NULL);
    if (kept > 0)
        memcpy(trouble->value, raw->value.base, kept);
    trouble->value_length = kept;
    trouble->key_length = (uint16_t)raw->key.len;
    memcpy(trouble->key, raw->key.base, raw->key.len);
    state_names_add(&troubles->by_key, &trouble->by_key);
    troubles->counts[bad]++;
    return is_new;
}

void state_troubles_drop(state_troubles_t *troubles, weir_span_t key)
{
    state_name_t *name = troubles->by_key.count == 0 ? NULL : state_names_find(&troubles->by_key, key);

    if (name == NULL)
        return;
    state_names_remove(&troubles->by_key, name);
    troubles->counts[trouble_of(name)->bad]--;
    destroy(trouble_of(name));
}

const state_trouble_t *state_troubles_next(const state_troubles_t *troubles, state_names_walk_t *walk)
{
    const state_name_t *name = state_names_next(&troubles->by_key, walk);

    return name == NULL ? NULL : trouble_of(name);
}

void state_troubles_begin(state_troubles_t *troubles)
{
    troubles->generation++;
}

void state_troubles_sweep(state_troubles_t *troubles)
{
    state_names_walk_t walk = {0};

    for (state_name_t *name; (name = state_names_next(&troubles->by_key, &walk)) != NULL;)
        if (trouble_of(name)->generation != troubles->generation)
            state_troubles_drop(troubles, key_text(name));
}
