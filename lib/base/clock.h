/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H
/**
 * @file  The two clocks. Durations come from the monotonic one only; the wall clock is for headers and logs.
 */
#include <stdint.h>

/** Microseconds since some fixed point in the past; never goes back. */
uint64_t weir_clock_monotonic_us(void);

/** Microseconds since the Unix epoch; may jump. */
uint64_t weir_clock_wall_us(void);

#endif
