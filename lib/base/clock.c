/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"

#include <time.h>

#include "lib/base/must.h"

static uint64_t now_us(clockid_t clock)
{
    struct timespec now;

    WEIR_MUST(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t weir_clock_monotonic_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

uint64_t weir_clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}
