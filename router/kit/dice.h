/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DICE_H
#define WEIR_KIT_DICE_H
/**
 * @file  Dice for what is decided where there is no request whose own could be thrown: in ticks, and for those who wait.
 */
#include <stdint.h>

/** The next 64 bits of this stream (SplitMix64). One thread at a time. */
static inline uint64_t kit_throw(uint64_t *stream)
{
    uint64_t mixed = *stream += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

#endif
