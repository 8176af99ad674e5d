/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H
/**
 * @file  Memory that is freed at once: what lives as long as an exchange lies in its arena and has no clean-up.
 *
 * OWNER    Whoever called weir_arena_init().
 * THREAD   One at a time; made and finished on the same thread (blocks are recycled per thread).
 * FAILURE  Out of memory aborts; limits on input come before allocation.
 */
#include "weir_types.h"

typedef struct weir_arena_block weir_arena_block_t;

typedef struct weir_arena {
    weir_arena_block_t *blocks; /* newest first           */
    char *next, *end;           /* the newest one's rest  */
} weir_arena_t;

/** Makes an empty arena. Takes no memory yet. */
void weir_arena_init(weir_arena_t *arena);

/** Frees everything allocated from `arena`, which may then be used again. */
void weir_arena_finish(weir_arena_t *arena);

enum { WEIR_ARENA_ALIGNMENT = 16 };

/** weir_arena_alloc() where the newest block has no room. */
void *weir_arena_alloc_slowly(weir_arena_t *arena, size_t size);

/** `size` bytes aligned to 16, not cleared. Lives until weir_arena_finish(). */
static inline void *weir_arena_alloc(weir_arena_t *arena, size_t size)
{
    char *memory = arena->next;

    /* The room is a multiple of the alignment: what fits also fits rounded up. Nothing at all is not for here. */
    if (size - 1 >= (size_t)(arena->end - memory))
        return weir_arena_alloc_slowly(arena, size);
    arena->next = memory + ((size + WEIR_ARENA_ALIGNMENT - 1) & ~(size_t)(WEIR_ARENA_ALIGNMENT - 1));
    return memory;
}

/** The same, zeroed. */
void *weir_arena_zalloc(weir_arena_t *arena, size_t size);

/** A copy of `bytes` with a NUL behind it, which the returned length does not count. */
weir_span_t weir_arena_copy(weir_arena_t *arena, weir_span_t bytes);

/** A formatted string, NUL-terminated; the length does not count the NUL. */
weir_span_t weir_arena_format(weir_arena_t *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * `size` bytes that belong to no arena yet, from any thread: they are put in front of *list (NULL: empty), which is one
 * thread's at a time. They live until the arena that adopts the list is finished.
 */
void *weir_arena_alloc_apart(weir_arena_block_t **list, size_t size);

/** Takes over what is in *list, and empties it. The bytes stay where they are. */
void weir_arena_adopt(weir_arena_t *arena, weir_arena_block_t **list);

/** Frees the blocks this thread keeps for reuse. For clean exits under leak checkers. */
void weir_arena_forget_blocks(void);

#endif
