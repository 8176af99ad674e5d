/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_RING_H
#define WEIR_KIT_RING_H
/**
 * @file  Key rings: the keys of a file, read again when that changes; or keys that were made at the start and end with the
 * process.
 *
 * OWNER    An instance, as long as it lives: pins outlast configurations.
 * THREAD   kit_ring_keys(): any, in a callback. The rest: under the instance's lock.
 */
#include <stdatomic.h>

#include "affinity_keys.h"

typedef struct kit_ring {
    struct kit_ring *next;
    char *path; /* NULL: made */
    _Atomic(kit_keys_t *) keys;
    int64_t changed_ns, bytes; /* of the file, as it was read */
    uint64_t version;          /* one more with each reading   */
    uint64_t looked_at_us;
} kit_ring_t;

/** The ring of a path (NULL: made ones) in a list, added if there is none yet. NULL: it cannot be read, see `problem`. */
kit_ring_t *kit_ring_find(kit_ring_t **list, const char *path, char *problem, size_t problem_bytes);
/** Frees a list. Nobody signs or verifies any more. */
void kit_rings_free(kit_ring_t **list);

/** Reads a file again that has changed, ten seconds behind the last look. NULL, or what is wrong: then the old keys hold. */
const char *kit_ring_look(kit_ring_t *ring, uint64_t now_us, char *problem, size_t problem_bytes);

static inline const kit_keys_t *kit_ring_keys(const kit_ring_t *ring)
{
    return atomic_load_explicit(&ring->keys, memory_order_acquire);
}

#endif
