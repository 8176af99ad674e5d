/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_PIECES_H
#define WEIR_BASE_PIECES_H
/**
 * @file  Memory for very many small things, cut from large pieces: nothing is kept beside each of them, and what is taken one
 * behind the other lies together. What was given back is taken again by others of its size; pieces stay.
 *
 * Under AddressSanitizer each thing is malloc()'s, so that a use after it was given back is caught.
 *
 * OWNER    Whoever has it embedded.
 * THREAD   One.
 */
#include <stdbool.h>
#include <stddef.h>

enum { WEIR_PIECES_MOST = 512 /* bytes of a thing that is cut from a piece: larger ones are malloc()'s */ };

typedef struct weir_piece weir_piece_t;

typedef struct weir_pieces {
    weir_piece_t *newest;
    char *at, *end;                           /* what is left of it */
    void *returned[WEIR_PIECES_MOST / 8 + 1]; /* by size, in words */
    size_t large_count;                       /* of things that are malloc()'s */
} weir_pieces_t;

void weir_pieces_init(weir_pieces_t *pieces);
/** So many bytes, aligned to 8, not cleared. Never NULL. */
void *weir_pieces_take(weir_pieces_t *pieces, size_t bytes);
/** What was taken with as many bytes. Harmless on NULL. */
void weir_pieces_give(weir_pieces_t *pieces, void *thing, size_t bytes);
/** Whether all that is there may be given back at once, by weir_pieces_finish(); else each must be. */
static inline bool weir_pieces_go_at_once(const weir_pieces_t *pieces)
{
    return pieces->large_count == 0;
}
/** Gives all pieces back, with what was cut from them. */
void weir_pieces_finish(weir_pieces_t *pieces);

#endif
