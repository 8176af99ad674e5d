/* SPDX-License-Identifier: MIT */
#include "lib/base/counted.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/must.h"

typedef struct counted {
    _Alignas(max_align_t) size_t bytes;
    unsigned holders;
} counted_t;

static counted_t *counted_of(const void *memory)
{
    return (counted_t *)(uintptr_t)memory - 1;
}

void *weir_counted_alloc(size_t size)
{
    counted_t *counted;

    WEIR_MUST(size <= SIZE_MAX - sizeof(*counted));
    counted = malloc(sizeof(*counted) + size);
    WEIR_MUST(counted != NULL);
    counted->bytes = size;
    counted->holders = 1;
    return counted + 1;
}

void *weir_counted_hold(void *memory)
{
    if (memory != NULL)
        counted_of(memory)->holders++;
    return memory;
}

void weir_counted_release(void *memory)
{
    if (memory != NULL && --counted_of(memory)->holders == 0)
        free(counted_of(memory));
}

bool weir_counted_has(const void *memory, const void *at)
{
    if (memory == NULL || at == NULL)
        return false;
    return (uintptr_t)at - (uintptr_t)memory < counted_of(memory)->bytes;
}
