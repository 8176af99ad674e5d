/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_TOP_NUMBERS_H
#define WEIR_CONF_TOP_NUMBERS_H
/**
 * @file  Numbers of `weir top`: percentiles of histograms, and how numbers are written in few columns. Pure.
 *
 * What is not known is NAN, and written as "-".
 */
#include <stddef.h>
#include <stdint.h>

enum { TOP_BUCKETS_MOST = 64, TOP_CELL_BYTES = 160 };

/** A histogram: `bound_count` upper bounds, and one count more than these, each of its own bucket alone. */
typedef struct top_histogram {
    size_t bound_count;
    uint64_t bounds_us[TOP_BUCKETS_MOST];
    uint64_t counts[TOP_BUCKETS_MOST + 1];
} top_histogram_t;

/**
 * Where `share` (0 … 1) of what was counted lies below, in microseconds: between the bounds of its bucket in proportion; of
 * what is above all bounds the last one. NAN: nothing was counted.
 */
double top_percentile(const top_histogram_t *histogram, double share);

/** "0.45ms", "12ms", "1.2s", "2m". */
void top_write_us(double us, char text[static TOP_CELL_BYTES]);
/** "0.5", "12", "1234", "12.3k", "4.5M": for numbers and rates. */
void top_write_count(double count, char text[static TOP_CELL_BYTES]);
/** "0", "0.1", "12", "100": a share (0 … 1) in percent. What is not nothing is not written as "0". */
void top_write_percent(double share, char text[static TOP_CELL_BYTES]);
/** "512 B", "1.5 MiB". */
void top_write_bytes(double bytes, char text[static TOP_CELL_BYTES]);
/** "12s", "3m 04s", "2h 05m", "3d 04h". */
void top_write_age(uint64_t ms, char text[static TOP_CELL_BYTES]);

#endif
