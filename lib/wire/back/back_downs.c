/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_downs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/weir_digest.h"

enum { SETS = 64, WAYS = 4, LABEL_BYTES = 80 };

typedef struct down {
    uint64_t place; /* 0: free */
    uint64_t since_us;
    unsigned failures;
    char label[LABEL_BYTES];
} down_t;

static struct {
    pthread_mutex_t lock;
    atomic_uint count;
    down_t sets[SETS][WAYS];
} downs = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Names by name and port: which of its addresses it was does not matter. */
static uint64_t place_of(const weir_target_t *target)
{
    const uint64_t key[2] = {target->port, (uint64_t)target->kind};
    const weir_span_t bytes =
        target->kind == WEIR_TARGET_NAME ? target->name : (weir_span_t){(const char *)&target->address, target->address_len};

    return weir_siphash(key, bytes) | 1;
}

static down_t *find(down_t *set, uint64_t place)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].place == place)
            return &set[i];
    return NULL;
}

static down_t *oldest(down_t *set)
{
    down_t *one = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].place == 0)
            return &set[i];
        if (set[i].since_us < one->since_us)
            one = &set[i];
    }
    return one;
}

/* Under the lock. Whether that is new. */
static bool note_failure(const weir_target_t *target, uint64_t place, uint64_t now_us)
{
    down_t *set = downs.sets[place / 2 % SETS], *one = find(set, place);

    if (one != NULL) {
        one->failures++;
        return false;
    }
    one = oldest(set);
    if (one->place == 0)
        atomic_fetch_add(&downs.count, 1);
    *one = (down_t){.place = place, .since_us = now_us, .failures = 1};
    snprintf(one->label, sizeof(one->label), "%.*s", (int)target->label.len, target->label.base);
    return true;
}

/* Under the lock. Whether it was down; then *out is what was known of it. */
static bool note_return(uint64_t place, down_t *out)
{
    down_t *one = find(downs.sets[place / 2 % SETS], place);

    if (one == NULL)
        return false;
    *out = *one;
    one->place = 0;
    atomic_fetch_sub(&downs.count, 1);
    return true;
}

static void fail(const weir_target_t *target, const weir_fault_t *fault, uint64_t now_us)
{
    static weir_log_limit_t limit;
    const uint64_t place = place_of(target);
    bool is_new;

    if (fault->blame != WEIR_BLAME_BACKEND || fault == &weir_fault_backend_busy) /* who is busy is there */
        return;
    pthread_mutex_lock(&downs.lock);
    is_new = note_failure(target, place, now_us);
    pthread_mutex_unlock(&downs.lock);
    if (is_new)
        weir_log_limited(&limit, "backend %.*s is down: %s", (int)target->label.len, target->label.base, fault->name);
}

static void succeed(const weir_target_t *target, uint64_t now_us)
{
    static weir_log_limit_t limit;
    uint64_t place, ms;
    bool was_down;
    down_t down;

    if (atomic_load(&downs.count) == 0)
        return;
    place = place_of(target);
    pthread_mutex_lock(&downs.lock);
    was_down = note_return(place, &down);
    pthread_mutex_unlock(&downs.lock);
    if (!was_down)
        return;
    ms = now_us > down.since_us ? (now_us - down.since_us) / 1000 : 0;
    weir_log_limited(&limit, "backend %s is up again, after %u failure%s in %u.%u s", down.label, down.failures,
                     down.failures == 1 ? "" : "s", (unsigned)(ms / 1000), (unsigned)(ms / 100 % 10));
}

void weir_back_note_dial(const weir_target_t *target, const weir_fault_t *fault, uint64_t now_us)
{
    if (fault != NULL)
        fail(target, fault, now_us);
    else
        succeed(target, now_us);
}
