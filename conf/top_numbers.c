/* SPDX-License-Identifier: MIT */
#include "conf/top_numbers.h"

#include <math.h>
#include <stdio.h>

double top_percentile(const top_histogram_t *histogram, double share)
{
    uint64_t all = 0, below = 0;

    for (size_t i = 0; i <= histogram->bound_count; i++)
        all += histogram->counts[i];
    if (all == 0)
        return NAN;
    const double wanted = share * (double)all;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        const uint64_t here = histogram->counts[i];
        if (here > 0 && (double)(below + here) >= wanted) {
            const double low = i == 0 ? 0 : (double)histogram->bounds_us[i - 1], high = (double)histogram->bounds_us[i];
            const double part = (wanted - (double)below) / (double)here;
            return low + (high - low) * (part > 0 ? part : 0);
        }
        below += here;
    }
    return histogram->bound_count == 0 ? NAN : (double)histogram->bounds_us[histogram->bound_count - 1];
}

/* With as many digits as three columns hold. */
static void write_short(double value, const char *unit, char text[static TOP_CELL_BYTES])
{
    snprintf(text, TOP_CELL_BYTES, value < 1 ? "%.2f%s" : value < 9.95 ? "%.1f%s" : "%.0f%s", value, unit);
}

static void write_unknown(char text[static TOP_CELL_BYTES])
{
    snprintf(text, TOP_CELL_BYTES, "-");
}

void top_write_us(double us, char text[static TOP_CELL_BYTES])
{
    if (isnan(us))
        write_unknown(text);
    else if (us < 999500)
        write_short(us / 1e3, "ms", text);
    else if (us < 99.5e6)
        write_short(us / 1e6, "s", text);
    else
        write_short(us / 60e6, "m", text);
}

void top_write_count(double count, char text[static TOP_CELL_BYTES])
{
    if (isnan(count))
        write_unknown(text);
    else if (count == floor(count) && count < 1e5)
        snprintf(text, TOP_CELL_BYTES, "%.0f", count);
    else if (count < 1e4)
        snprintf(text, TOP_CELL_BYTES, count < 99.95 ? "%.1f" : "%.0f", count);
    else if (count < 1e6)
        snprintf(text, TOP_CELL_BYTES, "%.1fk", count / 1e3);
    else
        snprintf(text, TOP_CELL_BYTES, count < 1e9 ? "%.1fM" : "%.1fG", count < 1e9 ? count / 1e6 : count / 1e9);
}

void top_write_percent(double share, char text[static TOP_CELL_BYTES])
{
    const double percent = share * 100;

    if (isnan(share))
        write_unknown(text);
    else if (percent > 0 && percent < 0.1)
        snprintf(text, TOP_CELL_BYTES, "<0.1");
    else if (percent == 0 || percent >= 9.95)
        snprintf(text, TOP_CELL_BYTES, "%.0f", percent);
    else
        snprintf(text, TOP_CELL_BYTES, "%.1f", percent);
}

void top_write_bytes(double bytes, char text[static TOP_CELL_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    if (isnan(bytes)) {
        write_unknown(text);
        return;
    }
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    snprintf(text, TOP_CELL_BYTES, unit > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

void top_write_age(uint64_t ms, char text[static TOP_CELL_BYTES])
{
    const unsigned long long seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;

    if (minutes == 0)
        snprintf(text, TOP_CELL_BYTES, "%llus", seconds);
    else if (hours == 0)
        snprintf(text, TOP_CELL_BYTES, "%llum %02llus", minutes, seconds % 60);
    else if (hours < 48)
        snprintf(text, TOP_CELL_BYTES, "%lluh %02llum", hours, minutes % 60);
    else
        snprintf(text, TOP_CELL_BYTES, "%llud %02lluh", hours / 24, hours % 24);
}
