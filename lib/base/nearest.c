/* SPDX-License-Identifier: MIT */
#include "lib/base/nearest.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 63, SHORT = 6 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t weir_distance(const char *a, const char *b)
{
    const size_t a_len = strlen(a), b_len = strlen(b);
    size_t row[3][LONGEST + 1]; /* the one before last, the last, this one */

    if (a_len > LONGEST || b_len > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[1][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        row[2][0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = row[1][j - 1] + (a[i - 1] != b[j - 1]);
            row[2][j] = least(change, least(row[1][j], row[2][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[2][j] = least(row[2][j], row[0][j - 2] + 1);
        }
        memcpy(row[0], row[1], sizeof(row[0]));
        memcpy(row[1], row[2], sizeof(row[1]));
    }
    return row[1][b_len];
}

size_t weir_distance_most(const char *unknown)
{
    return strlen(unknown) < SHORT ? 1 : 3;
}

const char *weir_nearest(const char *unknown, const char *const *words)
{
    const char *best = NULL;
    size_t best_distance = weir_distance_most(unknown) + 1;

    for (; *words != NULL; words++) {
        size_t distance = weir_distance(unknown, *words);
        if (distance < best_distance) {
            best_distance = distance;
            best = *words;
        }
    }
    return best;
}
