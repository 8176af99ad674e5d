/* SPDX-License-Identifier: MIT */
#include "handlers/stages.h"

#include <stdio.h>
#include <string.h>

#include "lib/walk/exchange.h"
#include "lib/walk/pipeline.h"

const weir_stage_t *const weir_stages[] = {
    &weir_stage_begin,   &weir_stage_validate, &weir_stage_lookup,  &weir_stage_continue,
    &weir_stage_upgrade, &weir_stage_checkout, &weir_stage_connect, &weir_stage_relay,
    &weir_stage_refuse,  &weir_stage_checkin,  &weir_stage_end,     NULL,
};

static const char *name_of(const weir_stage_t *stage)
{
    return stage->name != NULL ? stage->name : "unnamed";
}

/* Puts `stage` in its place among the `count` that are there. Returns who has its number already, else NULL. */
static const weir_stage_t *insert(const weir_stage_t **stages, size_t count, const weir_stage_t *stage)
{
    size_t at = count;

    for (size_t i = 0; i < count; i++) {
        if (stages[i]->number == stage->number)
            return stages[i];
    }
    while (at > 0 && stages[at - 1]->number > stage->number) {
        stages[at] = stages[at - 1];
        at--;
    }
    stages[at] = stage;
    return NULL;
}

size_t weir_stages_merge(const weir_stage_t *const *extra, size_t count, const weir_stage_t **out, char *error,
                         size_t error_size)
{
    size_t total = sizeof(weir_stages) / sizeof(weir_stages[0]) - 1;

    memcpy(out, weir_stages, total * sizeof(weir_stages[0]));
    for (size_t i = 0; i < count; i++, total++) {
        const weir_stage_t *stage = extra[i], *other;

        if (stage->enter == NULL) {
            snprintf(error, error_size, "the stage %s (%u) has no enter", name_of(stage), stage->number);
            return 0;
        }
        if (stage->number >= WEIR_STAGE_REFUSE) {
            snprintf(error, error_size, "the stage %s has the number %u; from %d on there are only built-in stages",
                     name_of(stage), stage->number, WEIR_STAGE_REFUSE);
            return 0;
        }
        if (total >= WEIR_STAGES_MAX) {
            snprintf(error, error_size, "there are more than %d stages", WEIR_STAGES_MAX);
            return 0;
        }
        other = insert(out, total, stage);
        if (other != NULL) {
            snprintf(error, error_size, "the stages %s and %s both have the number %u", name_of(other), name_of(stage),
                     stage->number);
            return 0;
        }
    }
    out[total] = NULL;
    return total;
}
