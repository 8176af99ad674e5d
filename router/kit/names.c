/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <stdio.h>

#include "alloc.h"
#include "config.h"
#include "instance.h"
#include "own.h"
#include "workers.h"

enum { MS_US = 1000, ANSWER_TIMEOUT_MS = 10000, AGAIN_MS = 2000, ADDRESSES_MOST = 64, ID_MORE_BYTES = 96 };

/* ---- names ---- */

static weir_endpoint_t *endpoint_of(const char *host)
{
    char problem[256];

    return weir_endpoint_create(&(weir_endpoint_settings_t){.size = sizeof(weir_endpoint_settings_t), .host = host, .port = 1},
                                problem, sizeof(problem));
}

kit_name_t *kit_name_hold(struct kit_instance *instance, const char *host, uint64_t now_us)
{
    kit_name_t *name = instance->names;

    while (name != NULL && strcmp(name->host, host) != 0)
        name = name->next;
    if (name == NULL) {
        name = kit_alloc(1, sizeof(*name));
        name->instance = instance;
        name->host = kit_copy(host);
        name->endpoint = endpoint_of(host);
        name->next = instance->names;
        instance->names = name;
        kit_due_set(&instance->name_questions, &name->due, now_us);
    }
    name->holders++;
    return name;
}

static void free_addresses(char **addresses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(addresses[i]);
    free(addresses);
}

/* A question that is under way finds it again by its name, or not. */
void kit_name_release(kit_name_t *name)
{
    kit_name_t **at = &name->instance->names;

    if (--name->holders > 0 || name->asked_by != NULL)
        return;
    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    kit_due_clear(&name->instance->name_questions, &name->due);
    free_addresses(name->addresses, name->count);
    weir_endpoint_destroy(&name->endpoint);
    free(name->host);
    free(name);
}

/* ---- questions ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **addresses_of(const weir_probe_result_t *result, size_t *out_count)
{
    char **addresses = kit_alloc(ADDRESSES_MOST, sizeof(addresses[0])), text[WEIR_PROBE_ADDRESS_BYTES];
    size_t count = 0;

    while (count < ADDRESSES_MOST && weir_probe_address(result, count, text))
        addresses[count++] = kit_copy(text);
    qsort(addresses, count, sizeof(addresses[0]), by_text);
    *out_count = count;
    return addresses;
}

static bool is_same(const kit_name_t *name, char *const *addresses, size_t count)
{
    if (name->count != count || !name->is_known)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(name->addresses[i], addresses[i]) != 0)
            return false;
    return true;
}

static bool is_named_by(const kit_app_t *app, const kit_name_t *name)
{
    for (size_t i = 0; i < app->wanted_count; i++)
        if (app->wanted[i].name == name)
            return true;
    return false;
}

/* Operators' own have no names, but sources' do. */
static void put_chain_in_force(struct weir_kit *kit, kit_own_t *own, const kit_name_t *name, uint64_t now_us)
{
    for (; own != NULL; own = own->next)
        if (atomic_load(&own->app.set) != NULL && is_named_by(&own->app, name))
            kit_app_put_in_force(kit, &own->app, now_us);
}

/* Into every app that names it. */
static void put_in_force(const kit_name_t *name, uint64_t now_us)
{
    struct weir_kit *kit = name->instance->started;

    for (size_t i = 0; kit != NULL && i < kit->app_count; i++)
        if (is_named_by(&kit->apps[i], name))
            kit_app_put_in_force(kit, &kit->apps[i], now_us);
    for (size_t i = 0; kit != NULL && i < kit->own_chains; i++)
        put_chain_in_force(kit, kit->own[i], name, now_us);
}

static void take_answer(kit_name_t *name, const weir_probe_result_t *result, uint64_t now_us)
{
    size_t count;
    char **addresses = addresses_of(result, &count);

    kit_due_set(&name->instance->name_questions, &name->due, now_us + (uint64_t)result->fresh_ms * MS_US);
    name->is_failed = false;
    if (is_same(name, addresses, count)) {
        free_addresses(addresses, count);
        return;
    }
    free_addresses(name->addresses, name->count);
    name->addresses = addresses;
    name->count = count;
    name->is_known = true;
    put_in_force(name, now_us);
}

static void take_failure(kit_name_t *name, const struct weir_kit *kit, const weir_fault_t *fault, uint64_t now_us)
{
    kit_due_set(&name->instance->name_questions, &name->due, now_us + (uint64_t)AGAIN_MS * MS_US);
    if (!name->is_failed)
        weir_instance_log(kit->host, "dns:%s: %s: %s", name->host, fault->name,
                          name->count > 0 ? "the addresses that it had stay" : "there are no backends of this name");
    name->is_failed = true;
    if (name->is_known)
        return;
    name->is_known = true; /* requests wait no longer */
    put_in_force(name, now_us);
}

static void on_result(void *of, const weir_probe_result_t *result)
{
    kit_name_t *name = of;
    kit_instance_t *instance = name->instance;
    struct weir_kit *kit = name->asked_by;
    const uint64_t now_us = weir_instance_now_us(kit->host);

    pthread_mutex_lock(&instance->lock);
    name->asked_by = NULL;
    name->holders++; /* what is put in force may let go of it */
    if (result->fault == NULL)
        take_answer(name, result, now_us);
    else
        take_failure(name, kit, result->fault, now_us);
    kit_name_release(name);
    pthread_mutex_unlock(&instance->lock);
}

void kit_names_tick(struct kit_instance *instance, uint64_t now_us)
{
    struct weir_kit *kit = instance->started;
    kit_due_t *due;

    while ((due = kit_due_first(&instance->name_questions, now_us)) != NULL) {
        kit_name_t *name = (kit_name_t *)(void *)due;
        const weir_probe_settings_t settings = {
            .size = sizeof(settings), .kind = WEIR_PROBE_NAME, .endpoint = name->endpoint, .timeout_ms = ANSWER_TIMEOUT_MS};
        name->asked_by = kit;
        if (!weir_probe_start(kit->host, &settings, on_result, name)) {
            name->asked_by = NULL;
            return; /* it stays due */
        }
        kit_due_clear(&instance->name_questions, due);
    }
}

void kit_names_end(struct weir_kit *kit)
{
    kit_name_t *next;

    for (kit_name_t *name = kit->instance->names; name != NULL; name = next) {
        next = name->next;
        if (name->asked_by != kit)
            continue;
        name->asked_by = NULL;
        kit_due_set(&kit->instance->name_questions, &name->due, 0);
        name->holders++;
        kit_name_release(name);
    }
}

/* ---- members ---- */

/* "10.0.0.1:8080"; with an id of its own "web/10.0.0.1:8080". */
static char *id_of(const kit_wanted_t *wanted, const char *address)
{
    const size_t bytes = (wanted->has_id ? strlen(wanted->id) : 0) + strlen(address) + ID_MORE_BYTES;
    char *id = kit_alloc(bytes, 1);

    snprintf(id, bytes, "%s%s%s:%u", wanted->has_id ? wanted->id : "", wanted->has_id ? "/" : "", address, wanted->place.port);
    return id;
}

static bool is_taken(const kit_wanted_t *expanded, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(expanded[i].id, id) == 0)
            return true;
    return false;
}

static size_t expand_one(const kit_wanted_t *wanted, kit_wanted_t *expanded, size_t count)
{
    for (size_t i = 0; i < wanted->name->count; i++) {
        char *id = id_of(wanted, wanted->name->addresses[i]);
        if (is_taken(expanded, count, id)) { /* by another name, or by itself: one backend is one member */
            free(id);
            continue;
        }
        expanded[count] = *wanted;
        expanded[count].id = id;
        expanded[count].place.host = kit_copy(wanted->name->addresses[i]);
        expanded[count].place.server_name = wanted->place.host;
        count++;
    }
    return count;
}

bool kit_names_has(const struct kit_app *app)
{
    size_t i = 0;

    while (i < app->wanted_count && app->wanted[i].name == NULL)
        i++;
    return i < app->wanted_count;
}

kit_wanted_t *kit_names_expand(const struct kit_app *app, size_t *out_count, bool *out_is_waiting)
{
    size_t most = app->wanted_count, count = 0;
    kit_wanted_t *expanded;

    *out_is_waiting = false;
    for (size_t i = 0; i < app->wanted_count; i++)
        most += app->wanted[i].name == NULL ? 0 : app->wanted[i].name->count;
    expanded = kit_alloc(most, sizeof(expanded[0]));
    for (size_t i = 0; i < app->wanted_count; i++)
        if (app->wanted[i].name == NULL)
            expanded[count++] = app->wanted[i];
    for (size_t i = 0; i < app->wanted_count; i++) {
        if (app->wanted[i].name == NULL)
            continue;
        *out_is_waiting = *out_is_waiting || !app->wanted[i].name->is_known;
        count = expand_one(&app->wanted[i], expanded, count);
    }
    expanded = kit_workers_add(app, expanded, &count);
    *out_count = count;
    return expanded;
}

void kit_names_free(kit_wanted_t *expanded, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (expanded[i].place.worker != 0)
            kit_wanted_free(&expanded[i]);
        if (expanded[i].name == NULL)
            continue;
        free(expanded[i].id);
        free(expanded[i].place.host);
    }
    free(expanded);
}
