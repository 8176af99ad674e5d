/* SPDX-License-Identifier: MIT */
#include "lib/state/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/must.h"
#include "weir_digest.h"

enum { CHAINS_LEAST = 64, IN_A_CHAIN = 2 };

void state_names_init(state_names_t *names, state_name_text_t *text)
{
    *names = (state_names_t){.text = text};
    WEIR_MUST(getrandom(names->key, sizeof(names->key), 0) == sizeof(names->key));
}

void state_names_dispose(state_names_t *names)
{
    free(names->chains);
    names->chains = NULL;
    names->chain_count = names->count = 0;
}

uint64_t state_names_hash(const state_names_t *names, weir_span_t text)
{
    return weir_siphash(names->key, text);
}

state_name_t *state_names_find_by(const state_names_t *names, weir_span_t text, uint64_t hash)
{
    if (names->chain_count == 0)
        return NULL;
    for (state_name_t *name = names->chains[hash & (names->chain_count - 1)]; name != NULL; name = name->next) {
        const weir_span_t other = name->hash == hash ? names->text(name) : (weir_span_t){0};
        if (name->hash == hash && other.len == text.len && memcmp(other.base, text.base, text.len) == 0)
            return name;
    }
    return NULL;
}

state_name_t *state_names_find(const state_names_t *names, weir_span_t text)
{
    return state_names_find_by(names, text, state_names_hash(names, text));
}

static void grow(state_names_t *names, size_t count)
{
    state_name_t **chains = calloc(count, sizeof(state_name_t *));

    WEIR_MUST(chains != NULL);
    for (size_t i = 0; i < names->chain_count; i++)
        for (state_name_t *name = names->chains[i], *next; name != NULL; name = next) {
            next = name->next;
            name->next = chains[name->hash & (count - 1)];
            chains[name->hash & (count - 1)] = name;
        }
    free(names->chains);
    names->chains = chains;
    names->chain_count = count;
}

void state_names_expect(state_names_t *names, size_t more)
{
    size_t count = names->chain_count == 0 ? CHAINS_LEAST : names->chain_count;

    while (count * IN_A_CHAIN < names->count + more)
        count *= 2;
    if (count > names->chain_count)
        grow(names, count);
}

void state_names_prefetch(const state_names_t *names, weir_span_t text)
{
    if (names->chain_count > 0)
        __builtin_prefetch(&names->chains[weir_siphash(names->key, text) & (names->chain_count - 1)]);
}

void state_names_add(state_names_t *names, state_name_t *name)
{
    state_names_add_by(names, name, state_names_hash(names, names->text(name)));
}

void state_names_add_by(state_names_t *names, state_name_t *name, uint64_t hash)
{
    state_names_expect(names, 1);
    name->hash = hash;
    state_name_t **chain = &names->chains[name->hash & (names->chain_count - 1)];
    name->next = *chain;
    *chain = name;
    names->count++;
}

void state_names_remove(state_names_t *names, state_name_t *name)
{
    state_name_t **at = &names->chains[name->hash & (names->chain_count - 1)];

    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    name->next = NULL;
    names->count--;
}

state_name_t *state_names_next(const state_names_t *names, state_names_walk_t *walk)
{
    while (walk->next == NULL && walk->chain < names->chain_count)
        walk->next = names->chains[walk->chain++];
    state_name_t *name = walk->next;
    if (name != NULL)
        walk->next = name->next;
    return name;
}
