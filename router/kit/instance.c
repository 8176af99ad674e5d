/* SPDX-License-Identifier: MIT */
#include "instance.h"

#include <sys/random.h>

#include "alloc.h"
#include "dice.h"
#include "later.h"
#include "overlay.h"
#include "rest.h"
#include "state_file.h"
#include "wait.h"
#include "watch.h"
#include "workers.h"

enum { SETS_FIRST = 16 };

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static kit_instance_t *registry;

/* ---- instances ---- */

static kit_instance_t *create(const char *name)
{
    kit_instance_t *instance = kit_alloc(1, sizeof(*instance));

    if (name != NULL)
        instance->name = kit_copy(name);
    if (pthread_mutex_init(&instance->lock, NULL) != 0)
        abort();
    (void)!getrandom(&instance->dice, sizeof(instance->dice), 0);
    instance->set_capacity = SETS_FIRST;
    instance->sets = kit_alloc(SETS_FIRST, sizeof(instance->sets[0]));
    return instance;
}

uint64_t kit_dice(kit_instance_t *instance)
{
    return kit_throw(&instance->dice);
}

static kit_instance_t *find(const char *name)
{
    kit_instance_t *instance = registry;

    while (instance != NULL && (instance->name == NULL || strcmp(instance->name, name) != 0))
        instance = instance->next;
    return instance;
}

kit_instance_t *kit_instance_hold(const char *name)
{
    kit_instance_t *instance;

    pthread_mutex_lock(&registry_lock);
    instance = name == NULL ? NULL : find(name);
    if (instance == NULL) {
        instance = create(name);
        instance->next = registry;
        registry = instance;
    }
    instance->holders++;
    pthread_mutex_unlock(&registry_lock);
    return instance;
}

static void unlist(const kit_instance_t *instance)
{
    kit_instance_t **at = &registry;

    while (*at != instance)
        at = &(*at)->next;
    *at = instance->next;
}

void kit_instance_release(kit_instance_t **slot)
{
    kit_instance_t *instance = *slot;

    if (instance == NULL)
        return;
    *slot = NULL;
    pthread_mutex_lock(&registry_lock);
    bool is_last = --instance->holders == 0;
    if (is_last)
        unlist(instance);
    pthread_mutex_unlock(&registry_lock);
    if (!is_last)
        return;
    kit_state_file_close(&instance->file);
    kit_waits_end(instance);
    kit_later_free(instance);
    kit_watch_end(instance);
    pthread_mutex_destroy(&instance->lock);
    kit_workers_free(instance);
    kit_overlays_free(instance);
    kit_rings_free(&instance->rings);
    kit_dues_free(&instance->checks);
    kit_dues_free(&instance->rests);
    kit_dues_free(&instance->name_questions);
    free(instance->sets);
    free(instance->name);
    free(instance);
}

/* ---- its sets ---- */

static size_t place_of(const kit_instance_t *instance, weir_span_t name)
{
    static const uint64_t key[2] = {0x6b6974, 0x736574}; /* operators name apps: nobody aims */

    return weir_siphash(key, name) % instance->set_capacity;
}

static void grow(kit_instance_t *instance)
{
    const size_t before_capacity = instance->set_capacity;
    weir_set_t **before = instance->sets;

    instance->set_capacity *= 2;
    instance->sets = kit_alloc(instance->set_capacity, sizeof(instance->sets[0]));
    for (size_t i = 0; i < before_capacity; i++) {
        while (before[i] != NULL) {
            weir_set_t *set = before[i], **at = &instance->sets[place_of(instance, weir_set_name(set))];
            before[i] = set->next;
            set->next = *at;
            *at = set;
        }
    }
    free(before);
}

weir_set_t *kit_instance_set(kit_instance_t *instance, weir_span_t app)
{
    weir_set_t *set = instance->sets[place_of(instance, app)];

    while (set != NULL && (strlen(set->name) != app.len || memcmp(set->name, app.base, app.len) != 0))
        set = set->next;
    if (set == NULL) {
        if (instance->set_count >= instance->set_capacity)
            grow(instance);
        weir_set_t **at = &instance->sets[place_of(instance, app)];
        set = kit_set_create(instance, app);
        set->next = *at;
        *at = set;
        instance->set_count++;
    }
    set->holders++;
    return set;
}

/* Those that nobody holds any more, in one look at all that ticks visit: a hundred thousand may go at once. */
static void forget_used(kit_instance_t *instance)
{
    for (weir_set_t *fresh = atomic_exchange(&instance->fresh, NULL), *next; fresh != NULL; fresh = next) {
        next = fresh->next_used;
        fresh->next_used = instance->used;
        instance->used = fresh;
    }
    for (weir_set_t **at = &instance->used; *at != NULL;)
        if ((*at)->holders == 0)
            *at = (*at)->next_used;
        else
            at = &(*at)->next_used;
}

void kit_instance_drop(kit_instance_t *instance, weir_set_t *set)
{
    weir_set_t **at = &instance->sets[place_of(instance, weir_set_name(set))];

    if (--set->holders > 0)
        return;
    while (*at != set)
        at = &(*at)->next;
    *at = set->next;
    instance->set_count--;
    set->next = instance->dropped;
    instance->dropped = set;
}

void kit_instance_sweep(kit_instance_t *instance)
{
    if (instance->dropped == NULL)
        return;
    forget_used(instance);
    for (weir_set_t *set = instance->dropped, *next; set != NULL; set = next) {
        next = set->next;
        kit_rest_end(set);
        kit_set_destroy(set);
    }
    instance->dropped = NULL;
}
