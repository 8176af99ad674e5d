/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DUE_H
#define WEIR_KIT_DUE_H
/**
 * @file  What is to be done at some time, soonest first: a heap, so that a hundred thousand that wait cost nothing meanwhile.
 *
 * OWNER    Who embeds it; of what is in it, who has put it there.
 * THREAD   One at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Embedded in what is due. Zeroed, it is in no heap. */
typedef struct kit_due {
    uint64_t at_us;
    size_t place; /* 1 … count; 0: in none */
} kit_due_t;

/** Zeroed, it is empty. */
typedef struct kit_dues {
    kit_due_t **at;
    size_t count, capacity;
} kit_dues_t;

/** Puts it in, or moves it: it is due at `at_us`. */
void kit_due_set(kit_dues_t *dues, kit_due_t *due, uint64_t at_us);
/** Takes it out; harmless if it is in none. */
void kit_due_clear(kit_dues_t *dues, kit_due_t *due);
/** The soonest, if it is due by then; NULL: none is. It stays in. */
kit_due_t *kit_due_first(const kit_dues_t *dues, uint64_t now_us);
/** Frees the heap, which is empty. */
void kit_dues_free(kit_dues_t *dues);

#endif
