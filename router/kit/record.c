/* SPDX-License-Identifier: MIT */
/* What only those have that somebody wants something of. */
#include "alloc.h"
#include "set.h"

kit_record_t *kit_record_make(weir_member_t *member)
{
    kit_record_t *present = NULL, *made = kit_alloc_aligned(_Alignof(kit_record_t), sizeof(*made));

    if (atomic_compare_exchange_strong(&member->record, &present, made))
        return made;
    free(made); /* somebody else was faster */
    return present;
}

kit_activity_t *kit_activity_make(weir_set_t *set)
{
    kit_activity_t *present = NULL, *made = kit_alloc_aligned(_Alignof(kit_activity_t), sizeof(*made));

    if (pthread_mutex_init(&made->health_lock, NULL) != 0)
        abort();
    if (atomic_compare_exchange_strong(&set->activity, &present, made))
        return made;
    pthread_mutex_destroy(&made->health_lock);
    free(made);
    return present;
}
