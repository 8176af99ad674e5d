/* SPDX-License-Identifier: MIT */
#include "lib/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/base/recycle.h"
#include "lib/base/span.h"

enum {
    BLOCK_BYTES = 3072, /* with its header: a request that waits for its backend fits; most wait there */
    RECYCLED_BLOCKS = 1024,
};

struct weir_arena_block {
    _Alignas(WEIR_ARENA_ALIGNMENT) weir_arena_block_t *next;
    bool is_recyclable; /* false for the block of one big allocation */
};

static __thread weir_arena_block_t *free_blocks;
static __thread size_t free_count;

static weir_arena_block_t *new_block(size_t bytes)
{
    weir_arena_block_t *block = malloc(bytes);

    WEIR_MUST(block != NULL);
    block->is_recyclable = bytes == BLOCK_BYTES;
    return block;
}

static weir_arena_block_t *take_block(void)
{
    weir_arena_block_t *block = free_blocks;

    if (block == NULL)
        return new_block(BLOCK_BYTES);
    free_blocks = block->next;
    free_count--;
    return block;
}

/* Under AddressSanitizer nothing is kept, so that a use after weir_arena_finish() is caught. */
static void give_block(weir_arena_block_t *block)
{
    if (!WEIR_RECYCLES || !block->is_recyclable || free_count == RECYCLED_BLOCKS) {
        free(block);
        return;
    }
    block->next = free_blocks;
    free_blocks = block;
    free_count++;
}

void weir_arena_init(weir_arena_t *arena)
{
    *arena = (weir_arena_t){NULL, NULL, NULL};
}

void weir_arena_finish(weir_arena_t *arena)
{
    weir_arena_block_t *block = arena->blocks;

    while (block != NULL) {
        weir_arena_block_t *next = block->next;
        give_block(block);
        block = next;
    }
    weir_arena_init(arena);
}

static weir_arena_block_t *new_big_block(size_t size)
{
    weir_arena_block_t *block;

    WEIR_MUST(size <= SIZE_MAX - sizeof(*block));
    block = new_block(sizeof(*block) + size);
    block->is_recyclable = false;
    return block;
}

/* Goes behind the newest block, whose rest stays in use. */
static void insert(weir_arena_t *arena, weir_arena_block_t *block)
{
    weir_arena_block_t **at = arena->blocks == NULL ? &arena->blocks : &arena->blocks->next;

    block->next = *at;
    *at = block;
}

static void *alloc_big(weir_arena_t *arena, size_t size)
{
    weir_arena_block_t *block = new_big_block(size);

    insert(arena, block);
    return block + 1;
}

void *weir_arena_alloc_apart(weir_arena_block_t **list, size_t size)
{
    weir_arena_block_t *block = new_big_block(size);

    block->next = *list;
    *list = block;
    return block + 1;
}

void weir_arena_adopt(weir_arena_t *arena, weir_arena_block_t **list)
{
    while (*list != NULL) {
        weir_arena_block_t *block = *list;
        *list = block->next;
        insert(arena, block);
    }
}

void *weir_arena_alloc_slowly(weir_arena_t *arena, size_t size)
{
    char *memory;

    WEIR_MUST(size <= SIZE_MAX - WEIR_ARENA_ALIGNMENT);
    size = (size + WEIR_ARENA_ALIGNMENT - 1) & ~(size_t)(WEIR_ARENA_ALIGNMENT - 1);
    if (size > (size_t)(arena->end - arena->next)) {
        if (size > BLOCK_BYTES - sizeof(weir_arena_block_t))
            return alloc_big(arena, size);
        weir_arena_block_t *block = take_block();
        block->next = arena->blocks;
        arena->blocks = block;
        arena->next = (char *)(block + 1);
        arena->end = (char *)block + BLOCK_BYTES;
    }
    /* An empty allocation before the first block has no address to give. */
    if (arena->next == NULL)
        return alloc_big(arena, 0);
    memory = arena->next;
    arena->next += size;
    return memory;
}

void *weir_arena_zalloc(weir_arena_t *arena, size_t size)
{
    return memset(weir_arena_alloc(arena, size), 0, size);
}

weir_span_t weir_arena_copy(weir_arena_t *arena, weir_span_t bytes)
{
    char *copy;

    WEIR_MUST(bytes.len < SIZE_MAX);
    copy = weir_arena_alloc(arena, bytes.len + 1);
    *weir_append(copy, bytes) = '\0';
    return (weir_span_t){copy, bytes.len};
}

weir_span_t weir_arena_format(weir_arena_t *arena, const char *format, ...)
{
    va_list arguments;
    char *text;
    int length;

    WEIR_MUST(format != NULL);
    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    WEIR_MUST(length >= 0);

    text = weir_arena_alloc(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return (weir_span_t){text, (size_t)length};
}

void weir_arena_forget_blocks(void)
{
    while (free_blocks != NULL) {
        weir_arena_block_t *block = free_blocks;
        free_blocks = block->next;
        free(block);
    }
    free_count = 0;
}
