/* SPDX-License-Identifier: MIT */
#include "lib/wire/loop/grace.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/walk/loop.h"
#include "lib/walk/steward.h"
#include "lib/walk/weir_retire.h"

enum { LOOK_MS = 100 }; /* how often the steward looks, while there is something to release */

typedef struct retired {
    struct retired *next;
    void *memory;
    void (*release)(void *memory);
    uint64_t age;
} retired_t;

static struct {
    pthread_mutex_t lock;
    weir_list_t readers;
    retired_t *first, **end; /* oldest first */
    size_t count;
    bool is_watched;   /* the steward will look */
    weir_loop_t *loop; /* the steward's         */
    weir_letter_t letter;
    weir_timer_t timer;
} grace = {.lock = PTHREAD_MUTEX_INITIALIZER, .readers = {&grace.readers, &grace.readers}, .end = &grace.first};

static _Atomic uint64_t age = 1;

/* ---- readers ---- */

void weir_grace_join(weir_grace_reader_t *reader)
{
    pthread_mutex_lock(&grace.lock);
    atomic_store_explicit(&reader->seen, atomic_load(&age), memory_order_relaxed); /* who releases holds the lock */
    weir_list_append(&grace.readers, &reader->link);
    pthread_mutex_unlock(&grace.lock);
}

/*
 * The age is raised behind the change of the pointer: who sees the new age here (acquire) finds the new pointer from now on.
 * And what was read before stands before the store (release), which the releasing thread has seen before it frees.
 */
void weir_grace_quiet(weir_grace_reader_t *reader)
{
    uint64_t present = atomic_load_explicit(&age, memory_order_acquire);

    if (atomic_load_explicit(&reader->seen, memory_order_relaxed) != present)
        atomic_store_explicit(&reader->seen, present, memory_order_release);
}

void weir_grace_part(weir_grace_reader_t *reader)
{
    pthread_mutex_lock(&grace.lock);
    weir_list_remove(&reader->link);
    pthread_mutex_unlock(&grace.lock);
    (void)weir_grace_release();
}

void weir_grace_each(void (*each)(weir_grace_reader_t *reader, void *context), void *context)
{
    pthread_mutex_lock(&grace.lock);
    for (weir_list_t *at = grace.readers.next; at != &grace.readers; at = at->next)
        each(WEIR_AROUND(at, weir_grace_reader_t, link), context);
    pthread_mutex_unlock(&grace.lock);
}

/* ---- releasing ---- */

static uint64_t age_seen_by_all(void)
{
    uint64_t least = UINT64_MAX;

    for (const weir_list_t *at = grace.readers.next; at != &grace.readers; at = at->next) {
        uint64_t seen = atomic_load_explicit(&WEIR_AROUND(at, const weir_grace_reader_t, link)->seen, memory_order_acquire);
        least = seen < least ? seen : least;
    }
    return least;
}

/* Those that nobody reads, taken out of the list. */
static retired_t *take_due(size_t *out_left)
{
    pthread_mutex_lock(&grace.lock);
    uint64_t seen = age_seen_by_all();
    retired_t *due = grace.first, **end = &grace.first;
    while (*end != NULL && (*end)->age <= seen) {
        end = &(*end)->next;
        grace.count--;
    }
    if (end == grace.end)
        grace.end = &grace.first;
    retired_t *rest = *end;
    *end = NULL;
    grace.first = rest;
    due = end == &grace.first ? NULL : due;
    *out_left = grace.count;
    pthread_mutex_unlock(&grace.lock);
    return due;
}

/* Without the lock: a release may retire something else. */
size_t weir_grace_release(void)
{
    size_t left;
    retired_t *due = take_due(&left);

    while (due != NULL) {
        retired_t *next = due->next;
        due->release(due->memory);
        free(due);
        due = next;
    }
    return left;
}

static void on_timer(weir_timer_t *timer)
{
    (void)weir_grace_release();
    pthread_mutex_lock(&grace.lock);
    grace.is_watched = grace.count > 0;
    if (grace.is_watched)
        weir_timer_set(grace.loop, timer, LOOK_MS, on_timer);
    pthread_mutex_unlock(&grace.lock);
}

static void on_letter(weir_letter_t *letter)
{
    weir_timer_set(grace.loop, &grace.timer, LOOK_MS, on_timer);
}

static void watch(void)
{
    weir_loop_t *loop = weir_steward();

    pthread_mutex_lock(&grace.lock);
    grace.loop = loop;
    grace.letter.open = on_letter;
    weir_list_init(&grace.letter.link);
    pthread_mutex_unlock(&grace.lock);
    weir_loop_post(loop, &grace.letter);
}

void weir_grace_unwatch(void)
{
    pthread_mutex_lock(&grace.lock);
    if (weir_timer_is_set(&grace.timer))
        weir_timer_cancel(&grace.timer);
    grace.is_watched = false;
    pthread_mutex_unlock(&grace.lock);
}

void weir_retire(void *memory, void (*release)(void *memory))
{
    retired_t *retired = malloc(sizeof(*retired));
    bool must_wake = false, has_readers;

    WEIR_MUST(retired != NULL);
    pthread_mutex_lock(&grace.lock);
    *retired = (retired_t){NULL, memory, release, atomic_fetch_add(&age, 1) + 1};
    *grace.end = retired;
    grace.end = &retired->next;
    grace.count++;
    has_readers = !weir_list_is_empty(&grace.readers);
    if (has_readers && !grace.is_watched)
        must_wake = grace.is_watched = true;
    pthread_mutex_unlock(&grace.lock);
    if (!has_readers)
        (void)weir_grace_release();
    else if (must_wake)
        watch();
}
