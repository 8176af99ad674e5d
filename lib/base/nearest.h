/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_NEAREST_H
#define WEIR_BASE_NEAREST_H
/**
 * @file  "Did you mean …?" Pure.
 */
#include <stddef.h>

/**
 * How many letters must be added, dropped, changed or swapped with their neighbour to make one word the other (Damerau's
 * distance, for adjacent letters). SIZE_MAX for words of more than 63 bytes, which nobody mistypes by a letter.
 */
size_t weir_distance(const char *a, const char *b);

/** How far away a word may be from `unknown` to be what was meant: 1 letter in a short word, 3 in a longer one. */
size_t weir_distance_most(const char *unknown);

/** Of `words` (NULL at the end) the one that was probably meant, or NULL. */
const char *weir_nearest(const char *unknown, const char *const *words);

#endif
