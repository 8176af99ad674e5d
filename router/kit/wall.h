/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_WALL_H
#define WEIR_KIT_WALL_H
/**
 * @file  The wall's clock, for what holds over a restart: everything else counts by weir_instance_now_us().
 */
#include <stdint.h>
#include <time.h>

/** Milliseconds since 1970; may jump. Any thread. */
static inline uint64_t kit_wall_ms(void)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    return (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
}

#endif
