/* SPDX-License-Identifier: MIT */
/*
 * Lines: what somebody has written into a store. "KEY\tVALUE" puts a key, "-KEY" removes it, "!" ends a revision, "*" lets go
 * what is held back, "?" tries again what was refused. The first byte says which documents are refused. Whatever it is, each
 * document is an object of JSON, nothing is put that is as it was, and in the end nothing is owed.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/state/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

enum { MOST = 1 << 15, WINDOW_US = 11000000 };

static state_step_t step;
static uint64_t now_us;
static int64_t revision;
static char refused; /* a document with this byte in it */

static void apply(void *context, state_change_t *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *json = changes[i].json == NULL ? NULL : json_loads(changes[i].json, JSON_REJECT_DUPLICATES, NULL);
        WEIR_MUST(changes[i].json == NULL || json_is_object(json));
        const json_t *domains = json_object_get(json, "domains");
        WEIR_MUST(json == NULL ||
                  ((domains == NULL || json_array_size(domains) > 0) && json_is_array(json_object_get(json, "backends"))));
        changes[i].is_fine = changes[i].json == NULL || strchr(changes[i].json, refused) == NULL;
        json_decref(json);
    }
}

static void put(weir_span_t line)
{
    const char *tab = memchr(line.base, '\t', line.len);
    const size_t key = tab == NULL ? line.len : (size_t)(tab - line.base);
    const weir_span_t value = tab == NULL ? (weir_span_t){"", 0} : (weir_span_t){tab + 1, line.len - key - 1};

    revision++;
    state_step_put(&step, &(state_raw_t){{line.base, key}, value, revision, revision % 3 == 0}, now_us);
}

static void lose(weir_span_t key)
{
    state_object_t *object = state_table_find(&step.table, key);

    state_troubles_drop(&step.troubles, key);
    if (object != NULL && !object->is_absent)
        state_step_lose(&step, &object, 1, step.table.objects.count == 1, now_us);
}

static void commit(void)
{
    const uint64_t applied = step.applied;

    state_step_commit(&step, now_us);
    WEIR_MUST(weir_list_is_empty(&step.table.dirty));
    const uint64_t after = step.applied;
    state_step_commit(&step, now_us);
    WEIR_MUST(step.applied == after && after >= applied);
    now_us += WINDOW_US;
}

static void take_line(weir_span_t line)
{
    if (line.len == 1 && line.base[0] == '!')
        commit();
    else if (line.len == 1 && line.base[0] == '*')
        (void)state_step_accept(&step);
    else if (line.len == 1 && line.base[0] == '?')
        state_step_retry(&step, now_us);
    else if (line.len > 0 && line.base[0] == '-')
        lose((weir_span_t){line.base + 1, line.len - 1});
    else
        put(line);
}

static void check_counts(void)
{
    size_t all = 0, held = 0;
    state_names_walk_t walk = {0};

    for (state_name_t *name; (name = state_names_next(&step.table.objects, &walk)) != NULL;)
        held += WEIR_AROUND(name, state_object_t, by_key)->is_absent;
    for (int kind = 0; kind < STATE_KINDS; kind++)
        all += step.table.counts[kind];
    WEIR_MUST(all == step.table.objects.count && held == state_step_held(&step));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    if (length < 1 || length > MOST)
        return 0;
    refused = input[0] == '\0' ? '\1' : (char)input[0];
    now_us = WINDOW_US;
    revision = 0;
    state_step_init(&step, "/weir/v1/", apply, NULL);
    step.logged_from_us = UINT64_MAX / 2;
    for (size_t at = 1; at < length;) {
        const uint8_t *end = memchr(input + at, '\n', length - at);
        const size_t count = end == NULL ? length - at : (size_t)(end - input) - at;
        step.logged_from_us = now_us;
        step.logged = SIZE_MAX / 2;
        take_line((weir_span_t){(const char *)input + at, count});
        at += count + 1;
    }
    commit();
    check_counts();
    state_step_withdraw(&step);
    state_step_dispose(&step);
    return 0;
}
