/* SPDX-License-Identifier: MIT */
#include "conf/suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <h2o.h>
#include <h2o/configurator.h>

enum { LONGEST = 63 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t conf_distance(const char *a, const char *b)
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

static void consider(const char *unknown, const char *name, const char **best, size_t *best_distance)
{
    /* Somebody who forgot our prefix is one step away. */
    size_t distance = strncmp(name, "weir.", 5) == 0 && strcmp(name + 5, unknown) == 0 ? 1 : conf_distance(unknown, name);

    if (distance < *best_distance) {
        *best = name;
        *best_distance = distance;
    }
}

const char *conf_suggest_command(const char *unknown, void *globalconf)
{
    h2o_linklist_t *anchor = &((h2o_globalconf_t *)globalconf)->configurators;
    const char *best = NULL;
    size_t best_distance = strlen(unknown) < 6 ? 2 : 4; /* this far is too far */

    for (h2o_linklist_t *link = anchor->next; link != anchor; link = link->next) {
        h2o_configurator_t *configurator = H2O_STRUCT_FROM_MEMBER(h2o_configurator_t, _link, link);
        for (size_t i = 0; i < configurator->commands.size; i++)
            consider(unknown, configurator->commands.entries[i].name, &best, &best_distance);
    }
    return best;
}
