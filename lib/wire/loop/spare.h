/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SPARE_H
#define WEIR_WIRE_SPARE_H
/**
 * @file  Memory of things that come and go with each request, kept for the next one. All of one list have the same size.
 * Under AddressSanitizer nothing is kept, so that a use after weir_spare_keep() is caught.
 *
 * OWNER    Whoever embeds it; zeroed, it is empty. What lies in it is linked by its first word, and means nothing else.
 * THREAD   One.
 */
#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/recycle.h"

enum { WEIR_SPARES_MAX = 512 }; /* kept at most: as many requests as two full connections of HTTP/2 have */

typedef struct weir_spare {
    void *first;
    size_t count;
} weir_spare_t;

/** Memory of `size` bytes, with anything in it. Never NULL. */
static inline void *weir_spare_take(weir_spare_t *spare, size_t size)
{
    void **taken = spare->first;

    if (taken == NULL) {
        taken = malloc(size);
        WEIR_MUST(taken != NULL);
        return taken;
    }
    spare->first = *taken;
    spare->count--;
    return taken;
}

/** Takes over what weir_spare_take() has given. */
static inline void weir_spare_keep(weir_spare_t *spare, void *memory)
{
    if (!WEIR_RECYCLES || spare->count == WEIR_SPARES_MAX) {
        free(memory);
        return;
    }
    *(void **)memory = spare->first;
    spare->first = memory;
    spare->count++;
}

/** Frees all that is kept. */
static inline void weir_spare_empty(weir_spare_t *spare)
{
    while (spare->first != NULL)
        free(weir_spare_take(spare, 0));
}

#endif
