/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DOMAINS_PIECES_H
#define WEIR_KIT_DOMAINS_PIECES_H
/**
 * @file  Small blocks of memory, carved from large pieces, because a block of malloc each would cost a million domains a third
 * more. The first piece has 4 KiB, each one after it twice as much up to 2 MiB, the size of a huge page. What is given back is
 * used again when no reader looks at it any more; pieces stay until the end.
 *
 * OWNER    The table of domains.
 * THREAD   The writer's; what was given back may come home on any.
 */
#include "domains.h"

enum { KIT_HUGE_PAGE_BYTES = 2 << 20, KIT_BLOCK_BYTES = 272, KIT_BLOCK_SIZES = KIT_BLOCK_BYTES / 8 + 1 };

typedef struct kit_piece kit_piece_t;
typedef struct kit_returns kit_returns_t;

typedef struct kit_pieces {
    kit_retire_t *retire;
    kit_piece_t *newest;
    char *at, *end;              /* what is left of the newest */
    size_t bytes;                /* of all pieces */
    void *free[KIT_BLOCK_SIZES]; /* by size in 8 bytes; each begins with the next one */
    kit_returns_t *returns;      /* NULL: nothing has been given back yet */
} kit_pieces_t;

void kit_pieces_init(kit_pieces_t *pieces, kit_retire_t *retire);
/** Nobody reads any more. Blocks may still be on their way home; they find nobody there. */
void kit_pieces_finish(kit_pieces_t *pieces);

/** A block of at most KIT_BLOCK_BYTES, aligned to 8, with anything in it. */
void *kit_pieces_take(kit_pieces_t *pieces, size_t bytes);
/** Gives one back that nobody can find any more. It is retired first: readers may still look at it. */
void kit_pieces_give_back(kit_pieces_t *pieces, void *block, size_t bytes);

/** Memory of its own for free(), filled with anything, on huge pages as far as it fills them. Never NULL. */
void *kit_large_alloc(size_t bytes);

#endif
