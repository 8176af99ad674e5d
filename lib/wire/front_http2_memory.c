/* SPDX-License-Identifier: MIT */
#include "lib/wire/front_http2_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/base/must.h"

enum {
    PAGE_BYTES = 4096,
    LARGE_BYTES = 16384,         /* from here on a buffer is one for frames */
    SLOT_BYTES = 5 * PAGE_BYTES, /* and is not longer than this             */
    SLOTS = 64,                  /* that are asked of the kernel together   */
    BLOCK_BYTES = SLOTS * SLOT_BYTES,
};

typedef struct slot {
    struct slot *next;
} slot_t;

typedef struct block {
    struct block *next;
    char *pages;
} block_t;

struct http2_memory {
    nghttp2_mem functions;
    block_t *blocks;
    slot_t *free_slots; /* used before: their first page is real */
    size_t fresh;       /* of the newest block                   */
};

static bool is_slot(const http2_memory_t *memory, const void *pointer)
{
    if ((uintptr_t)pointer % PAGE_BYTES != 0)
        return false;
    for (const block_t *block = memory->blocks; block != NULL; block = block->next)
        if ((const char *)pointer >= block->pages && (const char *)pointer < block->pages + BLOCK_BYTES)
            return true;
    return false;
}

/** NULL if the kernel gives no pages: then the heap will have to do. */
static void *take_slot(http2_memory_t *memory)
{
    slot_t *slot = memory->free_slots;
    if (slot != NULL) {
        memory->free_slots = slot->next;
        return slot;
    }
    if (memory->fresh == 0) {
        void *pages = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED)
            return NULL;
        (void)madvise(pages, BLOCK_BYTES, MADV_NOHUGEPAGE); /* one of those would make all of it real */
        block_t *block = malloc(sizeof(*block));
        WEIR_MUST(block != NULL);
        *block = (block_t){memory->blocks, pages};
        memory->blocks = block;
        memory->fresh = SLOTS;
    }
    return memory->blocks->pages + (SLOTS - memory->fresh--) * SLOT_BYTES;
}

static void give_slot(http2_memory_t *memory, void *pointer)
{
    slot_t *slot = pointer;
    slot->next = memory->free_slots;
    memory->free_slots = slot;
}

/* ---- what libnghttp2 calls ---- */

static void *on_malloc(size_t size, void *user)
{
    void *slot = size >= LARGE_BYTES && size <= SLOT_BYTES ? take_slot(user) : NULL;
    return slot != NULL ? slot : malloc(size);
}

static void on_free(void *pointer, void *user)
{
    if (is_slot(user, pointer))
        give_slot(user, pointer);
    else
        free(pointer);
}

static void *on_calloc(size_t count, size_t size, void *user)
{
    return calloc(count, size);
}

static void *on_realloc(void *pointer, size_t size, void *user)
{
    if (pointer == NULL)
        return on_malloc(size, user);
    if (!is_slot(user, pointer))
        return realloc(pointer, size);
    if (size <= SLOT_BYTES)
        return pointer;
    void *larger = malloc(size);
    if (larger == NULL)
        return NULL;
    memcpy(larger, pointer, SLOT_BYTES);
    give_slot(user, pointer);
    return larger;
}

/* ---- life ---- */

http2_memory_t *http2_memory_create(void)
{
    http2_memory_t *memory = calloc(1, sizeof(*memory));
    WEIR_MUST(memory != NULL);
    memory->functions = (nghttp2_mem){memory, on_malloc, on_free, on_calloc, on_realloc};
    return memory;
}

void http2_memory_destroy(http2_memory_t **memory)
{
    http2_memory_t *gone = *memory;
    if (gone == NULL)
        return;
    *memory = NULL;
    while (gone->blocks != NULL) {
        block_t *block = gone->blocks;
        gone->blocks = block->next;
        (void)munmap(block->pages, BLOCK_BYTES);
        free(block);
    }
    free(gone);
}

nghttp2_mem *http2_memory_functions(http2_memory_t *memory)
{
    return &memory->functions;
}
