/* SPDX-License-Identifier: MIT */
#include "lib/wire/front/front_http2_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/base/must.h"
#include "lib/base/recycle.h"

enum {
    PAGE_BYTES = 4096,
    LARGE_BYTES = 16384,         /* from here on a buffer is one for frames */
    SLOT_BYTES = 5 * PAGE_BYTES, /* and is not longer than this             */
    SLOTS = 64,                  /* that are asked of the kernel together   */
    BLOCK_BYTES = SLOTS * SLOT_BYTES,
    STEP_BYTES = 64, /* from one size of small pieces to the next */
    SIZES = 16,      /* of them                                   */
    SMALL_BYTES = SIZES * STEP_BYTES,
    KEPT_BYTES = 256 * 1024, /* of each size, in pieces for the next      */
};

typedef struct slot {
    struct slot *next;
} slot_t;

typedef struct block {
    struct block *next;
    char *pages;
} block_t;

/* In front of whatever is not a slot. */
typedef struct piece {
    _Alignas(16) struct piece *next; /* while it is kept */
    size_t room_bytes;               /* behind it; more than SMALL_BYTES: never kept */
} piece_t;

typedef struct shelf {
    piece_t *pieces;
    size_t count;
} shelf_t;

struct front_http2_memory {
    nghttp2_mem functions;
    block_t *blocks;
    slot_t *free_slots; /* used before: their first page is real */
    size_t fresh;       /* of the newest block                   */
    shelf_t shelves[SIZES];
};

static bool is_slot(const front_http2_memory_t *memory, const void *pointer)
{
    if ((uintptr_t)pointer % PAGE_BYTES != 0)
        return false;
    for (const block_t *block = memory->blocks; block != NULL; block = block->next)
        if ((const char *)pointer >= block->pages && (const char *)pointer < block->pages + BLOCK_BYTES)
            return true;
    return false;
}

/* NULL if the kernel gives no pages: then the heap will have to do. */
static void *take_slot(front_http2_memory_t *memory)
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

static void give_slot(front_http2_memory_t *memory, void *pointer)
{
    slot_t *slot = pointer;

    slot->next = memory->free_slots;
    memory->free_slots = slot;
}

/* ---- small pieces: several for each stream, which malloc would take apart and put together again ---- */

static shelf_t *shelf_of(front_http2_memory_t *memory, size_t room_bytes)
{
    return &memory->shelves[room_bytes / STEP_BYTES - 1];
}

static void *take_piece(front_http2_memory_t *memory, size_t bytes)
{
    bool is_small = bytes <= SMALL_BYTES;
    size_t room_bytes = is_small ? (bytes / STEP_BYTES + (bytes % STEP_BYTES != 0 || bytes == 0)) * STEP_BYTES : bytes;

    if (is_small && shelf_of(memory, room_bytes)->pieces != NULL) {
        shelf_t *shelf = shelf_of(memory, room_bytes);
        piece_t *kept = shelf->pieces;
        shelf->pieces = kept->next;
        shelf->count--;
        return kept + 1;
    }
    piece_t *piece = malloc(sizeof(*piece) + room_bytes);
    if (piece == NULL)
        return NULL;
    piece->room_bytes = room_bytes;
    return piece + 1;
}

static void give_piece(front_http2_memory_t *memory, piece_t *piece)
{
    size_t room_bytes = piece->room_bytes;

    if (!WEIR_RECYCLES || room_bytes > SMALL_BYTES || shelf_of(memory, room_bytes)->count >= KEPT_BYTES / room_bytes) {
        free(piece);
        return;
    }
    shelf_t *shelf = shelf_of(memory, room_bytes);
    piece->next = shelf->pieces;
    shelf->pieces = piece;
    shelf->count++;
}

static piece_t *piece_of(void *pointer)
{
    return (piece_t *)pointer - 1;
}

/* ---- what libnghttp2 calls ---- */

static void *on_malloc(size_t size, void *user)
{
    void *slot = size >= LARGE_BYTES && size <= SLOT_BYTES ? take_slot(user) : NULL;

    return slot != NULL ? slot : take_piece(user, size);
}

static void on_free(void *pointer, void *user)
{
    if (pointer == NULL)
        return;
    if (is_slot(user, pointer))
        give_slot(user, pointer);
    else
        give_piece(user, piece_of(pointer));
}

static void *on_calloc(size_t count, size_t size, void *user)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *pointer = on_malloc(bytes, user);
    if (pointer != NULL)
        memset(pointer, 0, bytes);
    return pointer;
}

static void *on_realloc(void *pointer, size_t size, void *user)
{
    if (pointer == NULL)
        return on_malloc(size, user);
    size_t room = is_slot(user, pointer) ? SLOT_BYTES : piece_of(pointer)->room_bytes;
    if (size <= room)
        return pointer;
    void *larger = on_malloc(size, user);
    if (larger == NULL)
        return NULL;
    memcpy(larger, pointer, room);
    on_free(pointer, user);
    return larger;
}

/* ---- life ---- */

front_http2_memory_t *front_http2_memory_create(void)
{
    front_http2_memory_t *memory = calloc(1, sizeof(*memory));

    WEIR_MUST(memory != NULL);
    memory->functions = (nghttp2_mem){memory, on_malloc, on_free, on_calloc, on_realloc};
    return memory;
}

void front_http2_memory_destroy(front_http2_memory_t **memory)
{
    front_http2_memory_t *gone = *memory;

    if (gone == NULL)
        return;
    *memory = NULL;
    while (gone->blocks != NULL) {
        block_t *block = gone->blocks;
        gone->blocks = block->next;
        (void)munmap(block->pages, BLOCK_BYTES);
        free(block);
    }
    for (size_t size = 0; size < SIZES; size++) {
        while (gone->shelves[size].pieces != NULL) {
            piece_t *piece = gone->shelves[size].pieces;
            gone->shelves[size].pieces = piece->next;
            free(piece);
        }
    }
    free(gone);
}

nghttp2_mem *front_http2_memory_functions(front_http2_memory_t *memory)
{
    return &memory->functions;
}
