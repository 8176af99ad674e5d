/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_ALLOC_H
#define WEIR_KIT_ALLOC_H
/**
 * @file  Memory that is there, or the process ends, as everywhere in the proxy.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/** Zeroed. */
static inline void *kit_alloc(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);

    if (memory == NULL)
        abort();
    return memory;
}

/** Of a type whose alignment is larger than malloc's: for lines of the cache. Zeroed; free() frees it. */
static inline void *kit_alloc_aligned(size_t alignment, size_t size)
{
    void *memory = NULL;

    if (posix_memalign(&memory, alignment, size) != 0)
        abort();
    return memset(memory, 0, size);
}

/** A NUL-terminated copy of so many bytes. */
static inline char *kit_copy_bytes(const char *text, size_t length)
{
    char *copy = kit_alloc(length + 1, 1);

    return length == 0 ? copy : memcpy(copy, text, length);
}

/** Whether both are equal texts, or both NULL. */
static inline bool kit_is_same_text(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/** A copy of a text; NULL of NULL. */
static inline char *kit_copy(const char *text)
{
    return text == NULL ? NULL : kit_copy_bytes(text, strlen(text));
}

#endif
