/* SPDX-License-Identifier: MIT */
#include "lib/walk/slow.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/clock.h"

static struct {
    pthread_mutex_t lock;
    weir_slow_t ring[WEIR_SLOWS]; /* count % WEIR_SLOWS is the next one's place */
    uint64_t count;
    weir_slow_count_t by[WEIR_SLOW_CALLBACKS];
    size_t by_count;
} slow = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock. The last place is for all whose name has none. */
static void count(const char *callback)
{
    size_t at = 0;

    while (at < slow.by_count && strcmp(slow.by[at].callback, callback) != 0)
        at++;
    if (at >= WEIR_SLOW_CALLBACKS - 1) {
        at = WEIR_SLOW_CALLBACKS - 1;
        callback = "other";
    }
    slow.by[at].callback = callback;
    slow.by[at].count++;
    if (at >= slow.by_count)
        slow.by_count = at + 1;
}

void weir_slow_note(const weir_at_work_t *work, unsigned loop, weir_span_t id, uint64_t us)
{
    weir_slow_t one = {.kind = work->kind, .name = work->name, .callback = work->callback, .us = us, .loop = loop};
    const size_t bytes = id.len < sizeof(one.id) ? id.len : sizeof(one.id) - 1;

    if (work->callback == NULL)
        return;
    if (bytes > 0)
        memcpy(one.id, id.base, bytes);
    one.wall_us = weir_clock_wall_us();
    pthread_mutex_lock(&slow.lock);
    slow.ring[slow.count++ % WEIR_SLOWS] = one;
    count(work->callback);
    pthread_mutex_unlock(&slow.lock);
}

size_t weir_slow_list(weir_slow_t out[static WEIR_SLOWS])
{
    pthread_mutex_lock(&slow.lock);
    const size_t count = slow.count < WEIR_SLOWS ? (size_t)slow.count : WEIR_SLOWS;
    for (size_t i = 0; i < count; i++)
        out[i] = slow.ring[(slow.count - 1 - i) % WEIR_SLOWS];
    pthread_mutex_unlock(&slow.lock);
    return count;
}

size_t weir_slow_counts(weir_slow_count_t out[static WEIR_SLOW_CALLBACKS])
{
    pthread_mutex_lock(&slow.lock);
    const size_t count = slow.by_count;
    memcpy(out, slow.by, count * sizeof(out[0]));
    pthread_mutex_unlock(&slow.lock);
    return count;
}
