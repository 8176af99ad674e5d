/* SPDX-License-Identifier: MIT */
#include "conf/suggest.h"

#include <string.h>

#include <h2o.h>
#include <h2o/configurator.h>

#include "lib/base/nearest.h"

static void consider(const char *unknown, const char *name, const char **best, size_t *best_distance)
{
    /* Somebody who forgot our prefix is one step away. */
    size_t distance = strncmp(name, "weir.", 5) == 0 && strcmp(name + 5, unknown) == 0 ? 1 : weir_distance(unknown, name);

    if (distance < *best_distance) {
        *best = name;
        *best_distance = distance;
    }
}

const char *conf_suggest_command(const char *unknown, void *globalconf)
{
    h2o_linklist_t *anchor = &((h2o_globalconf_t *)globalconf)->configurators;
    const char *best = NULL;
    size_t best_distance = weir_distance_most(unknown) + 1;

    for (h2o_linklist_t *link = anchor->next; link != anchor; link = link->next) {
        h2o_configurator_t *configurator = H2O_STRUCT_FROM_MEMBER(h2o_configurator_t, _link, link);
        for (size_t i = 0; i < configurator->commands.size; i++)
            consider(unknown, configurator->commands.entries[i].name, &best, &best_distance);
    }
    return best;
}
