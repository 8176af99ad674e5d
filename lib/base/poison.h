/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_POISON_H
#define WEIR_BASE_POISON_H
/**
 * @file  What AddressSanitizer has to know of memory that was not allocated by malloc(). Without it these do nothing.
 */
#include <stddef.h>

#include "lib/base/recycle.h"

#if WEIR_RECYCLES
/** Nobody may touch these bytes until weir_unpoison(). */
static inline void weir_poison(void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
}
static inline void weir_unpoison(void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
}
/** What is pointed to from here is no leak, until weir_holds_nothing() of the same bytes. */
static inline void weir_holds_pointers(void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
}
static inline void weir_holds_nothing(void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
}
#else
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>

static inline void weir_poison(void *memory, size_t bytes)
{
    __asan_poison_memory_region(memory, bytes);
}
static inline void weir_unpoison(void *memory, size_t bytes)
{
    __asan_unpoison_memory_region(memory, bytes);
}
static inline void weir_holds_pointers(void *memory, size_t bytes)
{
    __lsan_register_root_region(memory, bytes);
}
static inline void weir_holds_nothing(void *memory, size_t bytes)
{
    __lsan_unregister_root_region(memory, bytes);
}
#endif

#endif
