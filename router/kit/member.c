/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "set.h"
#include "view.h"

weir_span_t weir_member_id(const weir_member_t *member)
{
    return (weir_span_t){member->id, strlen(member->id)};
}

weir_span_t weir_member_label(const weir_member_t *member, const char *name)
{
    const kit_labels_t *labels = atomic_load_explicit(&member->labels, memory_order_acquire);

    for (size_t i = 0; labels != NULL && i < labels->count; i++)
        if (strcmp(labels->at[i].name, name) == 0)
            return (weir_span_t){labels->at[i].value, strlen(labels->at[i].value)};
    return (weir_span_t){NULL, 0};
}

static weir_member_state_t state_of(kit_admin_t admin)
{
    switch (admin) {
    case KIT_UP:
        break;
    case KIT_DRAINING:
        return WEIR_MEMBER_DRAINING;
    case KIT_OFF:
        return WEIR_MEMBER_OFF;
    }
    return WEIR_MEMBER_UP;
}

/* Of several reasons the one that holds also where checks are ignored. */
static weir_member_health_t health_of(kit_check_t check, kit_quarantine_t quarantine)
{
    if (check == KIT_CHECK_STARTING)
        return WEIR_MEMBER_STARTING;
    switch (quarantine) {
    case KIT_CONNECT:
        return WEIR_MEMBER_CONNECT;
    case KIT_FAILING:
        return WEIR_MEMBER_FAILING;
    case KIT_SILENT:
        return WEIR_MEMBER_SILENT;
    case KIT_FREE:
    case KIT_TRIAL:
        break;
    }
    if (check == KIT_CHECK_FAILED)
        return WEIR_MEMBER_CHECK;
    return quarantine == KIT_TRIAL ? WEIR_MEMBER_TRIAL : WEIR_MEMBER_WELL;
}

void weir_member_facts(const weir_member_t *member, weir_member_facts_t *facts)
{
    const uint64_t load = KIT_READ(member->load);
    const size_t size = facts->size;
    const weir_member_facts_t all = {
        .in_flight = kit_in_flight(load),
        .waiting = kit_waiting(load),
        .tunnels = kit_tunnels(load),
        .max_requests = KIT_READ(member->request_limit),
        .max_tunnels = KIT_READ(member->tunnel_limit),
        .weight = KIT_READ(member->weight),
        .tier = KIT_READ(member->tier),
        .handicap = KIT_READ(member->handicap),
        .state = state_of((kit_admin_t)KIT_READ(member->admin)),
        .health = health_of((kit_check_t)KIT_READ(member->check), (kit_quarantine_t)KIT_READ(member->quarantine)),
        .joined_at_us = KIT_READ(member->joined_at_us),
        .ill_since_us = kit_ill_since_us(member),
    };

    memset(facts, 0, size);
    memcpy(facts, &all, size < sizeof(all) ? size : sizeof(all));
    facts->size = size;
}

void weir_set_members(const weir_set_t *set, bool (*visit)(const weir_member_t *member, void *context), void *context)
{
    const kit_view_t *view = atomic_load_explicit(&set->view, memory_order_acquire);

    for (size_t i = 0; i < kit_view_count(view) && visit(kit_view_member(view, i), context); i++)
        ;
}
