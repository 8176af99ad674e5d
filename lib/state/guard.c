/* SPDX-License-Identifier: MIT */
#include "lib/state/guard.h"

bool state_guard_lets(state_guard_t *guard, size_t count, size_t lost, uint64_t now_us)
{
    if (guard->from_us == 0 || now_us - guard->from_us > STATE_GUARD_WINDOW_US)
        *guard = (state_guard_t){now_us, count, 0};
    const size_t all_lost = guard->lost + lost;
    if (lost > 0 && all_lost > STATE_GUARD_LEAST && all_lost > guard->base / STATE_GUARD_PART)
        return false;
    guard->lost = all_lost;
    return true;
}

void state_guard_begin(state_guard_t *guard)
{
    guard->from_us = 0;
}
