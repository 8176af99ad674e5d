/* SPDX-License-Identifier: MIT */
#include "lib/base/pieces.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/base/must.h"
#include "lib/base/recycle.h"

enum { FIRST_BYTES = 4096, HUGE_PAGE_BYTES = 2 << 20, WORD = 8 };

struct weir_piece {
    weir_piece_t *older;
    size_t bytes;
};

static size_t words_of(size_t bytes)
{
    return (bytes + WORD - 1) / WORD;
}

static bool is_cut(size_t bytes)
{
    return WEIR_RECYCLES && bytes <= WEIR_PIECES_MOST;
}

void weir_pieces_init(weir_pieces_t *pieces)
{
    *pieces = (weir_pieces_t){0};
}

/* Each is twice as large as the one before, up to a large page: a few things cost little, and many are found fast. */
static void open_piece(weir_pieces_t *pieces)
{
    weir_piece_t *older = pieces->newest;
    const size_t next = older == NULL ? FIRST_BYTES : 2 * older->bytes, bytes = next > HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : next;
    void *memory = NULL;

    WEIR_MUST(posix_memalign(&memory, bytes, bytes) == 0);
    if (bytes == HUGE_PAGE_BYTES) /* a wish: without it things are only slower */
        (void)madvise(memory, bytes, MADV_HUGEPAGE);
    pieces->newest = memory;
    *pieces->newest = (weir_piece_t){older, bytes};
    pieces->at = (char *)(pieces->newest + 1);
    pieces->end = (char *)memory + bytes;
}

static void *take_large(weir_pieces_t *pieces, size_t bytes)
{
    void *thing = malloc(bytes);

    WEIR_MUST(thing != NULL);
    pieces->large_count++;
    return thing;
}

void *weir_pieces_take(weir_pieces_t *pieces, size_t bytes)
{
    const size_t words = words_of(bytes);

    if (!is_cut(bytes))
        return take_large(pieces, bytes);
    void *thing = pieces->returned[words];
    if (thing != NULL) {
        pieces->returned[words] = *(void **)thing;
        return thing;
    }
    if ((size_t)(pieces->end - pieces->at) < words * WORD)
        open_piece(pieces);
    thing = pieces->at;
    pieces->at += words * WORD;
    return thing;
}

void weir_pieces_give(weir_pieces_t *pieces, void *thing, size_t bytes)
{
    if (thing == NULL)
        return;
    if (!is_cut(bytes)) {
        free(thing);
        pieces->large_count--;
        return;
    }
    *(void **)thing = pieces->returned[words_of(bytes)];
    pieces->returned[words_of(bytes)] = thing;
}

void weir_pieces_finish(weir_pieces_t *pieces)
{
    for (weir_piece_t *piece = pieces->newest, *older; piece != NULL; piece = older) {
        older = piece->older;
        free(piece);
    }
    weir_pieces_init(pieces);
}
