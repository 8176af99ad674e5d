/* SPDX-License-Identifier: MIT */
#include "rest.h"

#include <stdlib.h>

#include "queue.h"
#include "weir_retire.h"

enum { REST_MINUTES = 10 };
static const uint64_t rest_us = REST_MINUTES * UINT64_C(60000000);

void kit_rest_begin(weir_set_t *set)
{
    kit_activity_t *activity = kit_activity(set);

    if (activity == NULL)
        return;
    activity->set = set;
    kit_due_set(&set->instance->rests, &activity->rest, set->used_at_us + rest_us);
}

void kit_rest_end(weir_set_t *set)
{
    kit_activity_t *activity = kit_activity(set);

    if (activity != NULL)
        kit_due_clear(&set->instance->rests, &activity->rest);
}

static bool is_over(const weir_member_t *member, const kit_trouble_t *trouble)
{
    return trouble->connecting == NULL && atomic_load(&member->quarantine) == KIT_FREE &&
           atomic_load(&trouble->ill_since_us) == 0 && atomic_load(&trouble->ramp_ms) == 0;
}

/* Whoever comes meanwhile may still add to a record that is gone: nobody will miss that. */
static bool give_back_member(weir_member_t *member)
{
    kit_trouble_t *trouble = kit_trouble(member);

    if (atomic_load(&member->load) != 0 || (trouble != NULL && !is_over(member, trouble)))
        return false;
    if (trouble != NULL)
        weir_retire(atomic_exchange(&member->trouble, NULL), free);
    if (kit_record(member) != NULL)
        weir_retire(atomic_exchange(&member->record, NULL), free);
    atomic_store(&member->handicap, 0);
    atomic_store(&member->is_silent, 0);
    return true;
}

/* False: something is still needed. */
static bool give_back(weir_set_t *set)
{
    kit_activity_t *activity = kit_activity(set);
    bool is_all = true;

    for (size_t i = 0; i < set->member_count; i++)
        is_all = give_back_member(set->members[i]) && is_all;
    if (!is_all || atomic_load(&set->course) != KIT_RUNNING || !kit_queue_close(set))
        return false;
    kit_activity_t *present = activity; /* who came to wait meanwhile may have replaced it */
    (void)atomic_compare_exchange_strong(&set->activity, &present, NULL);
    weir_retire(activity, kit_activity_free);
    return true;
}

void kit_rest_tick(kit_instance_t *instance, uint64_t now_us)
{
    kit_due_t *due;

    while ((due = kit_due_first(&instance->rests, now_us)) != NULL) {
        kit_activity_t *activity = (kit_activity_t *)(void *)((char *)due - offsetof(kit_activity_t, rest));
        kit_due_clear(&instance->rests, due);
        if (!give_back(activity->set))
            kit_due_set(&instance->rests, due, now_us + rest_us);
    }
}
