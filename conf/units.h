/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_UNITS_H
#define WEIR_CONF_UNITS_H
/**
 * @file  Numbers, times, sizes and yes or no, as a configuration writes them. Pure.
 *
 * A number is decimal digits and nothing else. Where a unit is known it may be written behind them: `ms`, `s`, `m`, `h` of a
 * time, and `k`, `m`, `g` (1024, 1024², 1024³; either case) of a size. A number of seconds cannot be given in `ms`.
 */
#include <stdbool.h>
#include <stdint.h>

typedef enum conf_unit {
    CONF_UNIT_NONE,  /* a count      */
    CONF_UNIT_MS,    /* milliseconds */
    CONF_UNIT_S,     /* seconds      */
    CONF_UNIT_BYTES, /* bytes        */
} conf_unit_t;

/** Reads a number from `least` to `most`. False, and *out_number as it was, if it is none. */
bool conf_number_read(const char *text, conf_unit_t unit, uint64_t least, uint64_t most, uint64_t *out_number);

/** What must stand there, as "a whole number of seconds (or `5s`, `10m`, `2h`)"; constant. */
const char *conf_unit_sentence(conf_unit_t unit);

/** Reads ON, yes or true; OFF, no or false; either case. False, and *out_flag as it was, if it is none of them. */
bool conf_flag_read(const char *text, bool *out_flag);

#endif
