/* SPDX-License-Identifier: MIT */
#include "domains_pieces.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "alloc.h"

enum { FIRST_PIECE_BYTES = 4096, LINE_BYTES = 64 };

struct kit_piece {
    kit_piece_t *older;
    size_t bytes;
};

/* A block on its way home: what is retired is this, because the block itself does not say whose it is. */
typedef struct way_home {
    struct way_home *next;
    kit_returns_t *returns;
    void *block;
    size_t bytes;
} way_home_t;

/* Where blocks arrive. Outlives the pieces while some are on their way. */
struct kit_returns {
    _Atomic(way_home_t *) arrived;
    atomic_size_t holders; /* the pieces, and each block on its way */
};

void *kit_large_alloc(size_t bytes)
{
    size_t alignment = bytes >= KIT_HUGE_PAGE_BYTES ? KIT_HUGE_PAGE_BYTES : LINE_BYTES;
    void *memory = NULL;

    if (posix_memalign(&memory, alignment, bytes) != 0)
        abort();
    if (bytes >= KIT_HUGE_PAGE_BYTES) /* a wish: without them it is only slower */
        (void)madvise(memory, bytes / KIT_HUGE_PAGE_BYTES * KIT_HUGE_PAGE_BYTES, MADV_HUGEPAGE);
    return memory;
}

void kit_pieces_init(kit_pieces_t *pieces, kit_retire_t *retire)
{
    *pieces = (kit_pieces_t){.retire = retire};
}

static void returns_let_go(kit_returns_t *returns)
{
    way_home_t *next, *way;

    if (atomic_fetch_sub_explicit(&returns->holders, 1, memory_order_acq_rel) != 1)
        return;
    for (way = atomic_load_explicit(&returns->arrived, memory_order_relaxed); way != NULL; way = next) {
        next = way->next;
        free(way);
    }
    free(returns);
}

void kit_pieces_finish(kit_pieces_t *pieces)
{
    kit_piece_t *older;

    for (; pieces->newest != NULL; pieces->newest = older) {
        older = pieces->newest->older;
        free(pieces->newest);
    }
    if (pieces->returns != NULL)
        returns_let_go(pieces->returns);
    kit_pieces_init(pieces, pieces->retire);
}

/* Several may arrive at once, but only the writer takes them, and all of them: a list without a lock is enough. */
static void arrive(void *memory)
{
    way_home_t *way = memory;
    kit_returns_t *returns = way->returns;

    way->next = atomic_load_explicit(&returns->arrived, memory_order_relaxed);
    while (
        !atomic_compare_exchange_weak_explicit(&returns->arrived, &way->next, way, memory_order_release, memory_order_relaxed))
        ;
    returns_let_go(returns);
}

void kit_pieces_give_back(kit_pieces_t *pieces, void *block, size_t bytes)
{
    way_home_t *way = kit_alloc(1, sizeof(*way));

    if (pieces->returns == NULL) {
        pieces->returns = kit_alloc(1, sizeof(*pieces->returns));
        atomic_init(&pieces->returns->holders, 1);
    }
    atomic_fetch_add_explicit(&pieces->returns->holders, 1, memory_order_relaxed);
    *way = (way_home_t){NULL, pieces->returns, block, bytes};
    pieces->retire(way, arrive);
}

static size_t size_of(size_t bytes)
{
    return (bytes + 7) / 8;
}

static void put_free(kit_pieces_t *pieces, void *block, size_t bytes)
{
    *(void **)block = pieces->free[size_of(bytes)];
    pieces->free[size_of(bytes)] = block;
}

static void welcome(kit_pieces_t *pieces)
{
    way_home_t *next, *way;

    if (pieces->returns == NULL || atomic_load_explicit(&pieces->returns->arrived, memory_order_relaxed) == NULL)
        return;
    for (way = atomic_exchange_explicit(&pieces->returns->arrived, NULL, memory_order_acquire); way != NULL; way = next) {
        next = way->next;
        put_free(pieces, way->block, way->bytes);
        free(way);
    }
}

static void open_piece(kit_pieces_t *pieces)
{
    kit_piece_t *older = pieces->newest, *piece;
    size_t bytes = older == NULL ? FIRST_PIECE_BYTES : older->bytes * 2;

    if (bytes > KIT_HUGE_PAGE_BYTES)
        bytes = KIT_HUGE_PAGE_BYTES;
    piece = kit_large_alloc(bytes);
    *piece = (kit_piece_t){older, bytes};
    pieces->newest = piece;
    pieces->at = (char *)(piece + 1);
    pieces->end = (char *)piece + bytes;
    pieces->bytes += bytes;
}

void *kit_pieces_take(kit_pieces_t *pieces, size_t bytes)
{
    void *block;

    if (bytes > KIT_BLOCK_BYTES)
        abort();
    welcome(pieces);
    block = pieces->free[size_of(bytes)];
    if (block != NULL) {
        pieces->free[size_of(bytes)] = *(void **)block;
        return block;
    }
    if ((size_t)(pieces->end - pieces->at) < size_of(bytes) * 8)
        open_piece(pieces);
    block = pieces->at;
    pieces->at += size_of(bytes) * 8;
    return block;
}
