/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MEMBER_H
#define WEIR_MEMBER_H
/**
 * @file  Members of a set, for routers that choose among them by rules of their own, or tell somebody how they fare.
 *
 * OWNER    Their set, which all configurations share. A member may be looked at in the callback in which it was found, and as
 *          long as a request of yours has it; of one that is kept beyond that only the address tells anything.
 * THREAD   Any.
 * REPLAY   What changes is read by functions; nothing of it lies open.
 */
#include "weir_types.h"

WEIR_C_BEGIN

typedef struct weir_set weir_set_t;       /* an app: its members, and what is known of them   */
typedef struct weir_member weir_member_t; /* one backend of an app; it is your weir_service_t */

/**
 * Calls visit() for each member of the set that is up and has a weight, lowest tier and heaviest first, until it returns false.
 * In a callback.
 */
WEIR_API void weir_set_members(const weir_set_t *set, bool (*visit)(const weir_member_t *member, void *context), void *context);

/** What it is called. */
WEIR_API weir_span_t weir_member_id(const weir_member_t *member);
/** A member's label, as its configuration says; base NULL: it has none of that name. */
WEIR_API weir_span_t weir_member_label(const weir_member_t *member, const char *name);

/** What an operator, or its agent, wants of a member. DRAINING: only browsers that are pinned to it. */
typedef enum weir_member_state { WEIR_MEMBER_UP = 0, WEIR_MEMBER_DRAINING = 1, WEIR_MEMBER_OFF = 2 } weir_member_state_t;

/** How it fares. Who is not well takes no requests; but see TRIAL, and CHECK where most fail their checks (`panic`). */
typedef enum weir_member_health {
    WEIR_MEMBER_WELL = 0,
    WEIR_MEMBER_TRIAL = 1,    /* its quarantine is over: one request at a time, until one succeeds */
    WEIR_MEMBER_STARTING = 2, /* it has not passed its first check yet                              */
    WEIR_MEMBER_CHECK = 3,    /* it fails its checks                                                */
    WEIR_MEMBER_CONNECT = 4,  /* it could not be connected to                                       */
    WEIR_MEMBER_FAILING = 5,  /* its answers fail more than the others'                             */
    WEIR_MEMBER_SILENT = 6,   /* it answers nothing, while others do                                */
} weir_member_health_t;

/** Of one moment, and each number by itself: requests come and go meanwhile. Only ever appended to. */
typedef struct weir_member_facts {
    size_t size;           /* sizeof(weir_member_facts_t): set it before you ask                               */
    uint32_t in_flight;    /* requests that it has, tunnels not among them                                     */
    uint32_t waiting;      /* of these, those whose response has not begun                                     */
    uint32_t tunnels;      /* that are open                                                                    */
    uint32_t max_requests; /* 0: no bound                                                                      */
    uint32_t max_tunnels;  /* 0: no bound                                                                      */
    uint32_t weight;       /* 0 … 2000: what is configured, or what its agent makes of it                      */
    uint8_t tier;          /* 0 … 9; the lowest is asked first                                                 */
    uint8_t handicap;      /* 0 … 4: what it has to do counts 2^handicap times, so slow it is                  */
    weir_member_state_t state;
    weir_member_health_t health;
    uint64_t joined_at_us; /* or came back, on the clock of weir_now_us(); 0: it was there at the start        */
    uint64_t ill_since_us; /* likewise; 0: it is well                                                          */
} weir_member_facts_t;

/** Fills in as much of *facts as its size says. */
WEIR_API void weir_member_facts(const weir_member_t *member, weir_member_facts_t *facts);

WEIR_C_END

#endif
