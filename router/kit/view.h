/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_VIEW_H
#define WEIR_KIT_VIEW_H
/**
 * @file  Inside of a view, and of one look at it on behalf of a request. Private to view.c, choose.c, draw.c, hash.c,
 * owners.c and because.c.
 *
 * THREAD   What is not atomic is constant from kit_view_create() on.
 */
#include "choose.h"

/* Each is true by itself at some time; nothing follows from one about another. */
#define KIT_READ(atomic) atomic_load_explicit(&(atomic), memory_order_relaxed)
#define KIT_WRITE(atomic, value) atomic_store_explicit(&(atomic), (value), memory_order_relaxed)

/* Of a member whose ramp is over; and what of it a ramp brings, the rest being there from the first request on. */
enum { KIT_FULL_SHARE = 1 << 16, KIT_RAMPED_SHARE = KIT_FULL_SHARE / 10 * 9 };

/** Members of a tier with the same weight, next to each other. */
typedef struct kit_class {
    size_t first, count; /* in the view's order                                    */
    uint32_t weight;     /* of each                                                */
    uint64_t until;      /* weights of the tier's classes up to this one, included */
} kit_class_t;

typedef struct kit_tier {
    size_t first, count; /* in the view's order */
    uint8_t number;
    kit_class_t *classes; /* heaviest members first */
    size_t class_count;
    uint64_t weight;
    uint16_t *turns; /* whose turn it is, counted from `first`; NULL: everybody's in order, or nobody's: see has_turns */
    size_t turn_count;
    bool has_turns;
    uint16_t *owners; /* of each slot, counted from `first`; NULL: to be looked for */
    /* of the last refresh */
    _Atomic uint64_t ramping_weight, ramps_until_us;
    /* of the last request that needed them; see kit_draw_by_hash() */
    _Atomic uint64_t summed_at_us, in_flight, well_weight;
} kit_tier_t;

/** What the last refresh has found. */
typedef struct kit_lately {
    _Atomic uint64_t well_weight, failed_weight; /* by the checks                                    */
    _Atomic size_t trial;                        /* index + 1 of a member that waits for one; 0: none */
} kit_lately_t;

struct kit_view {
    kit_choice_settings_t settings;
    weir_member_t **members; /* by tier, weight (heaviest first), id */
    uint32_t *weights;       /* of each member, as they were when the view was made */
    uint8_t *zone_handicaps; /* of each member                       */
    uint64_t *id_hashes;     /* of each member, for scores           */
    size_t count;
    kit_tier_t *tiers; /* lowest first; those with members */
    size_t tier_count;
    uint64_t weight;
    kit_lately_t *lately;
};

/** One request's look at a view. */
typedef struct kit_look {
    const kit_view_t *view;
    const kit_wish_t *wish;
    const kit_tier_t *tier; /* the one that is looked at                              */
    bool ignores_checks;
    bool takes_trials;
    bool has_ramps;         /* in this tier, now                                      */
    bool has_passed_trials; /* at least one member only waits for a better suited one */
    kit_why_none_t why;     /* the best that was seen of those that will not do       */
    weir_member_t *spare;   /* would do, but for its ramp                             */
} kit_look_t;

/* choose.c */
/** What is possible of what is configured. */
kit_balance_t kit_look_balance(const kit_look_t *look);
/** A look at the whole view, at no tier yet. */
kit_look_t kit_look_begin(const kit_view_t *view, const kit_wish_t *wish);
/** What keeps the request from the member at `index`, but for the order of tiers and the draw. */
kit_because_t kit_look_because(kit_look_t *look, size_t index);
/** Whether the member at `index` would do. If not, `why` says as much. */
bool kit_look_is_usable(kit_look_t *look, size_t index);
/** The same, and the dice let its ramp have this request; else it is the spare one. */
bool kit_look_may_draw(kit_look_t *look, size_t index);

/* draw.c; each NULL if none of the tier will do */
weir_member_t *kit_draw_by_class(kit_look_t *look, kit_balance_t balance);
weir_member_t *kit_draw_by_turn(kit_look_t *look);

/* hash.c */
uint64_t kit_id_hash(uint64_t seed, const char *id);
/** What kit_score() is made of, in two steps. Of equal weights, the greater hash has the higher score. */
uint64_t kit_slot_hash(uint64_t seed, uint64_t id_hash, uint16_t slot);
double kit_score_of(uint64_t hash, uint32_t weight);
/** A member's score for the key that is looked for. */
double kit_look_score(const kit_look_t *look, size_t index);
/** Whether its load lets it have a key's requests, by hash_bound_percent. */
bool kit_look_is_within_bound(const kit_look_t *look, size_t index);
/** The highest score that will do, within the bound if there is one; NULL: none will do. */
weir_member_t *kit_draw_by_hash(kit_look_t *look, bool is_bounded);

/* owners.c */
/**
 * Of every slot the member with the highest score. Of a view before (may be NULL) it takes over what is still right: then it
 * costs about as many hashes as there are slots, and so many more for each member that is new or has another weight.
 */
void kit_owners_make(const kit_view_t *view, kit_tier_t *tier, const kit_view_t *before);

/* view.c */
/** How much of its share a member has by its age, in KIT_FULL_SHAREs. */
uint32_t kit_ramp_share(const kit_view_t *view, const weir_member_t *member, uint64_t now_us);
/** Its request_limit, or so much of it as its ramp allows; 0: none. */
uint32_t kit_limit_of(const kit_view_t *view, const weir_member_t *member, bool has_ramps, uint64_t now_us);
/** Whether members of the tier ramp now: not while they hold more than half of its weight. */
bool kit_tier_has_ramps(const kit_view_t *view, const kit_tier_t *tier, uint64_t now_us);

/** 0 … below − 1. `below` is far from 2^32, or the result is not quite even. */
static inline size_t kit_dice_below(const kit_wish_t *wish, size_t below)
{
    return (size_t)((wish->dice(wish->dice_context) >> 32) * below >> 32);
}

#endif
