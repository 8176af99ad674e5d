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

/* Whoever wakes an app may put it in force meanwhile: that of the sets is taken again there. */
static void make_locks(kit_instance_t *instance)
{
    pthread_mutexattr_t again;

    if (pthread_mutexattr_init(&again) != 0 || pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE) != 0 ||
        pthread_mutex_init(&instance->lock, NULL) != 0 || pthread_mutex_init(&instance->sets_lock, &again) != 0)
        abort();
    pthread_mutexattr_destroy(&again);
}

static kit_instance_t *create(const char *name)
{
    kit_instance_t *instance = kit_alloc(1, sizeof(*instance));

    if (name != NULL)
        instance->name = kit_copy(name);
    make_locks(instance);
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
    pthread_mutex_destroy(&instance->sets_lock);
    kit_workers_free(instance);
    kit_overlays_free(instance);
    kit_rings_free(&instance->rings);
    kit_dues_free(&instance->checks);
    kit_dues_free(&instance->rests);
    kit_dues_free(&instance->name_questions);
    free((void *)instance->sets);
    free(instance->name);
    free(instance);
}

/* ---- its sets ---- */

static size_t place_of(const kit_instance_t *instance, weir_span_t name)
{
    static const uint64_t key[2] = {0x6b6974, 0x736574}; /* operators name apps: nobody aims */

    return weir_siphash(key, name) % instance->set_capacity;
}

static void link_set(kit_instance_t *instance, weir_set_t *set)
{
    _Atomic(weir_set_t *) *at = &instance->sets[place_of(instance, weir_set_name(set))];

    set->next = atomic_load_explicit(at, memory_order_relaxed);
    atomic_store_explicit(at, set, memory_order_release);
}

static void grow(kit_instance_t *instance, size_t capacity)
{
    _Atomic(weir_set_t *) *before = instance->sets;
    const size_t before_capacity = instance->set_capacity;

    instance->set_capacity = capacity;
    instance->sets = kit_alloc(capacity, sizeof(instance->sets[0]));
    for (size_t i = 0; i < before_capacity; i++)
        for (weir_set_t *set = atomic_load(&before[i]), *next; set != NULL; set = next) {
            next = set->next;
            link_set(instance, set);
        }
    free((void *)before);
}

void kit_instance_expect(kit_instance_t *instance, size_t count)
{
    size_t capacity = instance->set_capacity;

    while (capacity < count)
        capacity *= 2;
    if (capacity > instance->set_capacity)
        grow(instance, capacity);
}

weir_set_t *kit_instance_find_set(const kit_instance_t *instance, weir_span_t app)
{
    weir_set_t *set = atomic_load_explicit(&instance->sets[place_of(instance, app)], memory_order_acquire);

    while (set != NULL && (strlen(set->name) != app.len || memcmp(set->name, app.base, app.len) != 0))
        set = set->next;
    return set;
}

void kit_instance_add_set(kit_instance_t *instance, weir_set_t *set)
{
    link_set(instance, set);
    instance->set_count++;
}

weir_set_t *kit_instance_set(kit_instance_t *instance, weir_span_t app)
{
    weir_set_t *set = kit_instance_find_set(instance, app);

    if (set == NULL) {
        kit_instance_expect(instance, instance->set_count + 1);
        set = kit_set_create(instance, app);
        kit_instance_add_set(instance, set);
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
    pthread_mutex_lock(&instance->sets_lock);
    for (weir_set_t **at = &instance->used; *at != NULL;)
        if ((*at)->holders == 0)
            *at = (*at)->next_used;
        else
            at = &(*at)->next_used;
    pthread_mutex_unlock(&instance->sets_lock);
}

/* False: it was never there; a past configuration has it for itself. */
static bool unlink_set(kit_instance_t *instance, const weir_set_t *set)
{
    _Atomic(weir_set_t *) *first = &instance->sets[place_of(instance, weir_set_name(set))];
    weir_set_t *before = NULL, *at = atomic_load(first);

    for (; at != NULL && at != set; at = at->next)
        before = at;
    if (at == NULL)
        return false;
    if (before == NULL)
        atomic_store(first, set->next);
    else
        before->next = set->next;
    return true;
}

void kit_instance_drop(kit_instance_t *instance, weir_set_t *set)
{
    pthread_mutex_lock(&instance->sets_lock);
    if (--set->holders == 0) {
        instance->set_count -= unlink_set(instance, set);
        set->next = instance->dropped;
        instance->dropped = set;
    }
    pthread_mutex_unlock(&instance->sets_lock);
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
