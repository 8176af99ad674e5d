/* SPDX-License-Identifier: MIT */
#include "lib/wire/front/front_http2_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/base/must.h"
#include "lib/base/poison.h"
#include "lib/base/recycle.h"

enum {
    PAGE_BYTES = 4096,
    REGION_BYTES = 8 * PAGE_BYTES,
    REGIONS = 64, /* that are asked of the kernel together */
    BLOCK_BYTES = REGIONS * REGION_BYTES,
    WARM_MOST = 256,     /* unused regions whose pages are kept               */
    LARGE_BYTES = 16384, /* a piece of a region that is as long is for frames */
    ALIGNMENT = 16,
    WORD_BYTES = sizeof(uint64_t),
    WORD_BITS = 64,
    STEP_BYTES = 64, /* from one size of small pieces to the next */
    SIZES = 16,      /* of them                                   */
    SMALL_BYTES = SIZES * STEP_BYTES,
    KEPT_BYTES = 256 * 1024, /* of each size, in pieces for the next      */
};

typedef struct block {
    struct block *next;
    char *pages;
} block_t;

/* In front of whatever is not a region's. */
typedef struct piece {
    _Alignas(16) struct piece *next; /* while it is kept */
    size_t room_bytes;               /* behind it; more than SMALL_BYTES: never kept */
} piece_t;

typedef struct shelf {
    piece_t *pieces;
    size_t count;
} shelf_t;

struct front_http2_memory {
    block_t *blocks;
    size_t region_count;
    char **unused; /* room for region_count, those with pages first: a list within them would touch them */
    size_t warm_count, unused_count;
    shelf_t shelves[SIZES];
};

/* ---- pages: those of unused regions are kept for the next ones, but not those of a crowd that has left ---- */

/* False if the kernel gives none: then the heap will have to do. */
static bool add_block(front_http2_memory_t *memory)
{
    void *pages = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return false;
    (void)madvise(pages, BLOCK_BYTES, MADV_NOHUGEPAGE); /* one of those would make all of it real */
    block_t *block = malloc(sizeof(*block));
    memory->region_count += REGIONS;
    memory->unused = realloc(memory->unused, memory->region_count * sizeof(memory->unused[0]));
    WEIR_MUST(block != NULL && memory->unused != NULL);
    *block = (block_t){memory->blocks, pages};
    memory->blocks = block;
    weir_holds_pointers(pages, BLOCK_BYTES);
    weir_poison(pages, BLOCK_BYTES);
    for (size_t i = REGIONS; i > 0; i--)
        memory->unused[memory->unused_count++] = block->pages + (i - 1) * REGION_BYTES;
    return true;
}

static char *take_pages(front_http2_memory_t *memory)
{
    if (memory->unused_count == 0 && !add_block(memory))
        return NULL;
    if (memory->warm_count == 0)
        return memory->unused[--memory->unused_count];
    char *pages = memory->unused[--memory->warm_count];
    memory->unused[memory->warm_count] = memory->unused[--memory->unused_count];
    return pages;
}

static void give_pages(front_http2_memory_t *memory, char *pages)
{
    weir_poison(pages, REGION_BYTES);
    memory->unused[memory->unused_count++] = pages;
    if (memory->warm_count == WARM_MOST) {
        (void)madvise(pages, REGION_BYTES, MADV_DONTNEED);
        return;
    }
    memory->unused[memory->unused_count - 1] = memory->unused[memory->warm_count];
    memory->unused[memory->warm_count++] = pages;
}

static bool is_regions(const front_http2_region_t *region, const void *pointer)
{
    return region->pages != NULL && (uintptr_t)pointer - (uintptr_t)region->pages < REGION_BYTES;
}

/* NULL if it has to come from elsewhere. */
static void *take_of_region(front_http2_region_t *region, size_t size)
{
    size_t bytes = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    if (!region->is_open || region->pages == NULL || bytes > REGION_BYTES - region->used_bytes)
        return NULL;
    char *pointer = region->pages + region->used_bytes;
    if (bytes >= LARGE_BYTES && region->frame_end == 0) {
        region->frame_at = region->used_bytes;
        region->frame_end = region->used_bytes + bytes;
    }
    region->used_bytes += bytes;
    return pointer;
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
    front_http2_region_t *region = user;
    void *pointer = take_of_region(region, size);

    return pointer != NULL ? pointer : take_piece(region->memory, size);
}

static void on_free(void *pointer, void *user)
{
    front_http2_region_t *region = user;

    if (pointer != NULL && !is_regions(region, pointer))
        give_piece(region->memory, piece_of(pointer));
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

/* How long a region's piece is nobody knows: it ends with the region at the latest. */
static size_t room_of(const front_http2_region_t *region, char *pointer)
{
    return is_regions(region, pointer) ? (size_t)(region->pages + region->used_bytes - pointer) : piece_of(pointer)->room_bytes;
}

static void *on_realloc(void *pointer, size_t size, void *user)
{
    const front_http2_region_t *region = user;

    if (pointer == NULL)
        return on_malloc(size, user);
    size_t room_bytes = room_of(region, pointer);
    if (!is_regions(region, pointer) && size <= room_bytes)
        return pointer;
    void *larger = on_malloc(size, user);
    if (larger == NULL)
        return NULL;
    memcpy(larger, pointer, room_bytes < size ? room_bytes : size);
    on_free(pointer, user);
    return larger;
}

/* ---- regions ---- */

void front_http2_region_begin(front_http2_region_t *region, front_http2_memory_t *memory)
{
    *region = (front_http2_region_t){.memory = memory, .pages = take_pages(memory), .is_open = true};
    if (region->pages != NULL)
        weir_unpoison(region->pages, REGION_BYTES);
}

nghttp2_mem front_http2_region_functions(front_http2_region_t *region)
{
    return (nghttp2_mem){region, on_malloc, on_free, on_calloc, on_realloc};
}

void front_http2_region_close(front_http2_region_t *region)
{
    region->is_open = false;
    if (region->frame_end == 0)
        region->frame_at = region->frame_end = region->used_bytes;
}

void front_http2_region_end(front_http2_region_t *region)
{
    if (region->pages != NULL)
        give_pages(region->memory, region->pages);
    region->pages = NULL;
}

/* ---- sleep: first a bit for each word, whether it is not zero; then those that are not ---- */

static size_t words_of(const front_http2_region_t *region)
{
    return (region->frame_at + region->used_bytes - region->frame_end) / WORD_BYTES;
}

/* The word with that number, not counting those of the buffer for frames. */
static uint64_t *word_at(const front_http2_region_t *region, size_t number)
{
    size_t at = number * WORD_BYTES;

    return (uint64_t *)(void *)(region->pages + (at < region->frame_at ? at : at - region->frame_at + region->frame_end));
}

static size_t bitmap_words(size_t words)
{
    return (words + WORD_BITS - 1) / WORD_BITS;
}

static uint64_t *put_away(const front_http2_region_t *region)
{
    const size_t words = words_of(region), bitmap = bitmap_words(words);
    size_t count = 0;

    for (size_t i = 0; i < words; i++)
        count += *word_at(region, i) != 0;
    uint64_t *packed = calloc(bitmap + count + 1, WORD_BYTES); /* never of nothing */
    if (packed == NULL)
        return NULL;
    uint64_t *next = packed + bitmap;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = *word_at(region, i);
        if (word == 0)
            continue;
        packed[i / WORD_BITS] |= UINT64_C(1) << i % WORD_BITS;
        *next++ = word;
    }
    return packed;
}

bool front_http2_region_sleep(front_http2_region_t *region)
{
    if (region->pages == NULL || region->put_away != NULL)
        return false;
    uint64_t *packed = put_away(region);
    if (packed == NULL)
        return false;
    if (madvise(region->pages, REGION_BYTES, MADV_DONTNEED) != 0) { /* locked into memory: nothing would be won */
        free(packed);
        return false;
    }
    region->put_away = packed;
    weir_poison(region->pages, REGION_BYTES);
    return true;
}

void front_http2_region_wake(front_http2_region_t *region)
{
    uint64_t *packed = region->put_away;

    if (packed == NULL)
        return;
    const size_t words = words_of(region);
    const uint64_t *next = packed + bitmap_words(words);
    weir_unpoison(region->pages, REGION_BYTES);
    for (size_t i = 0; i < words; i++)
        if ((packed[i / WORD_BITS] >> i % WORD_BITS & 1) != 0)
            *word_at(region, i) = *next++;
    region->put_away = NULL;
    free(packed);
}

/* ---- life ---- */

front_http2_memory_t *front_http2_memory_create(void)
{
    front_http2_memory_t *memory = calloc(1, sizeof(*memory));

    WEIR_MUST(memory != NULL);
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
        weir_unpoison(block->pages, BLOCK_BYTES);
        weir_holds_nothing(block->pages, BLOCK_BYTES);
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
    free(gone->unused);
    free(gone);
}
