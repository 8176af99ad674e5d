/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <sys/stat.h>

#include "alloc.h"
#include "weir_retire.h"

enum { LOOK_US = 10000000 };

static void free_keys(void *of)
{
    if (of != NULL)
        kit_keys_wipe(of);
    free(of);
}

static void stamp(kit_ring_t *ring)
{
    struct stat found;

    if (stat(ring->path, &found) != 0)
        return;
    ring->changed_ns = (int64_t)found.st_ctim.tv_sec * 1000000000 + found.st_ctim.tv_nsec;
    ring->bytes = (int64_t)found.st_size;
}

static bool has_changed(const kit_ring_t *ring)
{
    struct stat found;

    if (stat(ring->path, &found) != 0)
        return false; /* it is being replaced, or was taken away: what was read holds */
    return ring->bytes != (int64_t)found.st_size ||
           ring->changed_ns != (int64_t)found.st_ctim.tv_sec * 1000000000 + found.st_ctim.tv_nsec;
}

static bool fill(kit_ring_t *ring, char *problem, size_t problem_bytes)
{
    kit_keys_t *keys = kit_alloc(1, sizeof(*keys));

    if (ring->path == NULL) {
        kit_keys_make(keys);
    } else {
        stamp(ring);
        if (!kit_keys_read(ring->path, keys, problem, problem_bytes)) {
            free_keys(keys);
            return false;
        }
    }
    ring->version++;
    keys = atomic_exchange_explicit(&ring->keys, keys, memory_order_acq_rel);
    if (keys != NULL)
        weir_retire(keys, free_keys);
    return true;
}

static bool is_same(const char *one, const char *other)
{
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

kit_ring_t *kit_ring_find(kit_ring_t **list, const char *path, char *problem, size_t problem_bytes)
{
    kit_ring_t *ring = *list;

    while (ring != NULL && !is_same(ring->path, path))
        ring = ring->next;
    if (ring != NULL)
        return ring;
    ring = kit_alloc(1, sizeof(*ring));
    ring->path = kit_copy(path);
    if (!fill(ring, problem, problem_bytes)) {
        free(ring->path);
        free(ring);
        return NULL;
    }
    ring->next = *list;
    return *list = ring;
}

void kit_rings_free(kit_ring_t **list)
{
    while (*list != NULL) {
        kit_ring_t *ring = *list;
        *list = ring->next;
        weir_retire(atomic_load(&ring->keys), free_keys);
        free(ring->path);
        free(ring);
    }
}

const char *kit_ring_look(kit_ring_t *ring, uint64_t now_us, char *problem, size_t problem_bytes)
{
    if (ring->path == NULL || now_us - ring->looked_at_us < LOOK_US)
        return NULL;
    ring->looked_at_us = now_us;
    return !has_changed(ring) || fill(ring, problem, problem_bytes) ? NULL : problem;
}
