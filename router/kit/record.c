/* SPDX-License-Identifier: MIT */
/* What only those have that somebody wants something of. */
#include "alloc.h"
#include "queue.h"
#include "set.h"

kit_record_t *kit_record_make(weir_member_t *member)
{
    kit_record_t *present = NULL, *made = kit_alloc(1, sizeof(*made));

    atomic_init(&made->heard_before, atomic_load_explicit(&member->heard, memory_order_relaxed));
    if (atomic_compare_exchange_strong(&member->record, &present, made))
        return made;
    free(made); /* somebody else was faster */
    return present;
}

kit_trouble_t *kit_trouble_make(weir_member_t *member)
{
    kit_trouble_t *present = NULL, *made = kit_alloc(1, sizeof(*made));

    (void)kit_record_of(member); /* ticks look at no others */
    if (atomic_compare_exchange_strong(&member->trouble, &present, made))
        return made;
    free(made);
    return present;
}

kit_activity_t *kit_activity_make(weir_set_t *set)
{
    kit_activity_t *present = NULL, *made = kit_alloc_aligned(_Alignof(kit_activity_t), sizeof(*made));

    if (pthread_mutex_init(&made->health_lock, NULL) != 0)
        abort();
    if (atomic_compare_exchange_strong(&set->activity, &present, made))
        return made;
    kit_activity_free(made);
    return present;
}

void kit_activity_free(void *of)
{
    kit_activity_t *activity = of;

    if (activity == NULL)
        return;
    kit_queue_free(atomic_load(&activity->queue));
    pthread_mutex_destroy(&activity->health_lock);
    free(activity);
}
