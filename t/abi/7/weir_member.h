/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MEMBER_H
#define WEIR_MEMBER_H 
#include "weir_types.h"
WEIR_C_BEGIN
typedef struct weir_set weir_set_t;
typedef struct weir_member weir_member_t;
WEIR_API void weir_set_members(const weir_set_t *set, bool (*visit)(const weir_member_t *member, void *context), void *context);
WEIR_API weir_span_t weir_member_id(const weir_member_t *member);
WEIR_API weir_span_t weir_member_label(const weir_member_t *member, const char *name);
typedef enum weir_member_state { WEIR_MEMBER_UP = 0, WEIR_MEMBER_DRAINING = 1, WEIR_MEMBER_OFF = 2 } weir_member_state_t;
typedef enum weir_member_health {
    WEIR_MEMBER_WELL = 0,
    WEIR_MEMBER_TRIAL = 1,
    WEIR_MEMBER_STARTING = 2,
    WEIR_MEMBER_CHECK = 3,
    WEIR_MEMBER_CONNECT = 4,
    WEIR_MEMBER_FAILING = 5,
    WEIR_MEMBER_SILENT = 6,
} weir_member_health_t;
typedef struct weir_member_facts {
    size_t size;
    uint32_t in_flight;
    uint32_t waiting;
    uint32_t tunnels;
    uint32_t max_requests;
    uint32_t max_tunnels;
    uint32_t weight;
    uint8_t tier;
    uint8_t handicap;
    weir_member_state_t state;
    weir_member_health_t health;
    uint64_t joined_at_us;
    uint64_t ill_since_us;
} weir_member_facts_t;
WEIR_API void weir_member_facts(const weir_member_t *member, weir_member_facts_t *facts);
WEIR_C_END
#endif
