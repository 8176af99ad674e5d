/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_GUARD_H
#define WEIR_STATE_GUARD_H
/**
 * @file  Whether so much may go at once. More than a hundred, and more than a fifth of what there was, within ten seconds, is a
 * mistake more often than a wish: it is held back until somebody says that it may go.
 *
 * THREAD   One.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATE_GUARD_LEAST = 100, STATE_GUARD_PART = 5, STATE_GUARD_WINDOW_US = 10000000 };

/** Zeroed, it has seen nothing. */
typedef struct state_guard {
    uint64_t from_us;  /* when the window began; 0: there is none */
    size_t base, lost; /* what there was then, and what has gone since */
} state_guard_t;

/** Whether `lost` of the `count` that there are may go now. If so, they count. */
bool state_guard_lets(state_guard_t *guard, size_t count, size_t lost, uint64_t now_us);
/** Somebody has said that it may. */
void state_guard_begin(state_guard_t *guard);

#endif
