/* SPDX-License-Identifier: MIT */
#include "handlers/stages.h"

#include <stdio.h>
#include <string.h>

const weir_stage_t *const weir_stages[] = {
    &weir_stage_begin,   &weir_stage_validate, &weir_stage_lookup,  &weir_stage_continue,
    &weir_stage_upgrade, &weir_stage_checkout, &weir_stage_connect, &weir_stage_relay,
    &weir_stage_refuse,  &weir_stage_checkin,  &weir_stage_end,     NULL,
};

static const char *name_of(const weir_stage_t *stage)
{
    return stage->name != NULL ? stage->name : "unnamed";
}

/* Puts a stage in its place among those that are there. Returns who has its number already, else NULL. */
static const weir_stage_t *insert(weir_stage_list_t *list, const weir_extra_stage_t *extra, bool is_built_in)
{
    const uint8_t number = extra->stage->number;
    size_t at = list->count;
    uint32_t below;

    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i]->number == number)
            return list->at[i];
    }
    for (; at > 0 && list->at[at - 1]->number > number; at--) {
        list->at[at] = list->at[at - 1];
        list->shared[at] = list->shared[at - 1];
    }
    list->at[at] = extra->stage;
    list->shared[at] = extra->shared;
    below = list->built_in & ((1u << at) - 1);
    list->built_in = below | (uint32_t)is_built_in << at | (list->built_in & ~((1u << at) - 1)) << 1;
    list->count++;
    return NULL;
}

static bool insert_extra(weir_stage_list_t *list, const weir_extra_stage_t *extra, char *error, size_t error_size)
{
    const weir_stage_t *stage = extra->stage, *other;

    if (stage->enter == NULL) {
        snprintf(error, error_size, "the stage %s (%u) has no enter", name_of(stage), stage->number);
        return false;
    }
    if (stage->number >= WEIR_STAGE_REFUSE) {
        snprintf(error, error_size, "the stage %s has the number %u; from %d on there are only built-in stages", name_of(stage),
                 stage->number, WEIR_STAGE_REFUSE);
        return false;
    }
    if (list->count >= WEIR_STAGES_MAX) {
        snprintf(error, error_size, "there are more than %d stages", WEIR_STAGES_MAX);
        return false;
    }
    other = insert(list, extra, false);
    if (other == NULL)
        return true;
    snprintf(error, error_size, "the stages %s and %s both have the number %u", name_of(other), name_of(stage), stage->number);
    return false;
}

bool weir_stages_merge(const weir_extra_stage_t *extra, size_t count, weir_stage_list_t *out, char *error, size_t error_size)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; weir_stages[i] != NULL; i++)
        (void)insert(out, &(weir_extra_stage_t){weir_stages[i], NULL}, true);
    for (size_t i = 0; i < count; i++) {
        if (!insert_extra(out, &extra[i], error, error_size))
            return false;
    }
    return true;
}

void weir_stages_fill(weir_plan_t *plan, const weir_stage_list_t *list)
{
    plan->stages = list->at;
    plan->stages_shared = list->shared;
    plan->stage_count = list->count;
    plan->built_in = list->built_in;
}
