/* SPDX-License-Identifier: MIT */
#include "view.h"

static kit_because_t illness_of(const weir_member_t *member, bool is_panic)
{
    uint8_t check = KIT_READ(member->check), quarantine = KIT_READ(member->quarantine);

    if (check == KIT_CHECK_STARTING)
        return KIT_IS_STARTING;
    if (check == KIT_CHECK_FAILED && !is_panic)
        return KIT_IS_CHECK;
    switch ((kit_quarantine_t)quarantine) {
    case KIT_FREE:
        break;
    case KIT_CONNECT:
        return KIT_IS_CONNECT;
    case KIT_FAILING:
        return KIT_IS_FAILING;
    case KIT_SILENT:
        return KIT_IS_SILENT;
    case KIT_TRIAL:
        return KIT_READ(member->has_trial) == 0 ? KIT_IS_FINE : KIT_IS_TRIAL_BUSY;
    }
    return KIT_IS_FINE;
}

bool kit_is_well(const weir_member_t *member, bool is_panic)
{
    return illness_of(member, is_panic) == KIT_IS_FINE;
}

static bool was_tried(const kit_wish_t *wish, const weir_member_t *member)
{
    for (size_t i = 0; i < wish->tried_count; i++) {
        if (wish->tried[i] == member)
            return true;
    }
    return false;
}

/* A trial should be of a request that nobody misses; the rest is let in only when none such comes. */
static bool may_be_the_trial(kit_look_t *look, const weir_member_t *member)
{
    uint64_t since_us = kit_quarantined_at_us(member), patience_us = KIT_TRIAL_PATIENCE_MS * UINT64_C(1000);

    if (look->takes_trials || (look->wish->now_us >= since_us + patience_us && !look->wish->wants_any_key))
        return true;
    look->has_passed_trials = true;
    return false;
}

static bool is_full(const kit_look_t *look, const weir_member_t *member)
{
    const uint32_t limit = kit_limit_of(look->view, member, look->has_ramps, look->wish->now_us),
                   tunnel_limit = look->wish->is_upgrade ? KIT_READ(member->tunnel_limit) : 0;
    const uint64_t load = KIT_READ(member->load);

    return (limit > 0 && kit_in_flight(load) >= limit) || (tunnel_limit > 0 && kit_tunnels(load) >= tunnel_limit);
}

/* Whether the request may have it at all, if it is well and has room. */
static kit_because_t refusal_of(const kit_wish_t *wish, const weir_member_t *member)
{
    const uint8_t admin = KIT_READ(member->admin);

    if (admin != KIT_UP)
        return admin == KIT_DRAINING ? KIT_IS_DRAINING : KIT_IS_OFF;
    if (wish->may != NULL && !wish->may(member, wish->may_context))
        return KIT_IS_FILTERED;
    return was_tried(wish, member) ? KIT_IS_TRIED : KIT_IS_FINE;
}

static bool is_eligible(const kit_look_t *look, const weir_member_t *member)
{
    return refusal_of(look->wish, member) == KIT_IS_FINE;
}

kit_because_t kit_look_because(kit_look_t *look, size_t index)
{
    const weir_member_t *member = look->view->members[index];
    kit_because_t because = refusal_of(look->wish, member);

    if (because != KIT_IS_FINE)
        return because;
    because = illness_of(member, look->ignores_checks);
    if (because != KIT_IS_FINE)
        return because;
    if (KIT_READ(member->quarantine) == KIT_TRIAL && !may_be_the_trial(look, member))
        return KIT_IS_TRIAL;
    return is_full(look, member) ? KIT_IS_FULL : KIT_IS_FINE;
}

/* What is to be said if none is better. */
static kit_why_none_t why_of(kit_because_t because)
{
    if (because == KIT_IS_FULL)
        return KIT_ALL_FULL;
    if (because == KIT_IS_STARTING)
        return KIT_ALL_STARTING;
    if (because == KIT_IS_TRIED)
        return KIT_ALL_TRIED;
    return because > KIT_IS_STARTING ? KIT_ALL_ILL : KIT_NONE_EXISTS;
}

bool kit_look_is_usable(kit_look_t *look, size_t index)
{
    const kit_because_t because = kit_look_because(look, index);

    if (because == KIT_IS_FINE)
        return true;
    const kit_why_none_t why = why_of(because);
    look->why = why < look->why ? why : look->why;
    return false;
}

bool kit_look_may_draw(kit_look_t *look, size_t index)
{
    weir_member_t *member = look->view->members[index];
    uint32_t share;

    if (!kit_look_is_usable(look, index))
        return false;
    share = look->has_ramps ? kit_ramp_share(look->view, member, look->wish->now_us) : KIT_FULL_SHARE;
    if (share == KIT_FULL_SHARE || kit_dice_below(look->wish, KIT_FULL_SHARE) < share)
        return true;
    look->spare = member;
    return false;
}

/* The one of whom the last refresh knew that it waits for a trial, if it is of this tier and still waits. */
static weir_member_t *preferred_trial(kit_look_t *look)
{
    size_t trial = KIT_READ(look->view->lately->trial), index = trial - 1;

    if (!look->wish->may_be_trial || look->wish->wants_any_key || trial == 0)
        return NULL;
    if (index < look->tier->first || index >= look->tier->first + look->tier->count)
        return NULL;
    if (KIT_READ(look->view->members[index]->quarantine) != KIT_TRIAL || !kit_look_is_usable(look, index))
        return NULL;
    return look->view->members[index];
}

static kit_how_t how_of(kit_balance_t balance)
{
    switch (balance) {
    case KIT_LEAST:
        return KIT_BY_LEAST;
    case KIT_ROUND_ROBIN:
        return KIT_BY_TURN;
    case KIT_RANDOM:
        return KIT_BY_DICE;
    case KIT_HASH:
        return KIT_BY_HASH;
    case KIT_BEST:
        break;
    }
    return KIT_BY_BEST;
}

kit_balance_t kit_look_balance(const kit_look_t *look)
{
    kit_balance_t balance = look->view->settings.balance;

    if (look->wish->wants_any_key)
        return KIT_HASH;
    if (balance == KIT_HASH && !look->wish->has_key)
        return KIT_BEST;
    if (balance == KIT_ROUND_ROBIN && !look->tier->has_turns)
        return KIT_RANDOM;
    return balance;
}

static weir_member_t *choose_in_tier(kit_look_t *look, kit_how_t *out_how)
{
    kit_balance_t balance = kit_look_balance(look);
    weir_member_t *member = preferred_trial(look);

    *out_how = how_of(balance);
    if (member != NULL)
        return member;
    if (balance == KIT_HASH)
        return kit_draw_by_hash(look, !look->wish->wants_any_key);
    return balance == KIT_ROUND_ROBIN ? kit_draw_by_turn(look) : kit_draw_by_class(look, balance);
}

/* The lowest tier that has somebody; one whose members are only full keeps the request, unless it spills. */
static weir_member_t *choose_in_tiers(kit_look_t *look, kit_how_t *out_how)
{
    const kit_view_t *view = look->view;

    for (size_t i = 0; i < view->tier_count; i++) {
        weir_member_t *member;
        look->tier = &view->tiers[i];
        look->has_ramps = kit_tier_has_ramps(view, look->tier, look->wish->now_us);
        look->spare = NULL;
        member = choose_in_tier(look, out_how);
        if (member != NULL)
            return member;
        if (look->why == KIT_ALL_FULL && !view->settings.spills)
            return NULL;
    }
    return NULL;
}

/* Whom the router would have. Why it will not do is nothing to the others. */
static weir_member_t *preferred(kit_look_t look)
{
    const kit_view_t *view = look.view;
    size_t index = 0;

    if (look.wish->preferred == NULL)
        return NULL;
    while (index < view->count && view->members[index] != look.wish->preferred)
        index++;
    if (index == view->count)
        return NULL;
    look.tier = view->tiers;
    while (index >= look.tier->first + look.tier->count)
        look.tier++;
    look.has_ramps = kit_tier_has_ramps(view, look.tier, look.wish->now_us);
    return kit_look_is_usable(&look, index) ? view->members[index] : NULL;
}

/* What is in quarantine, and has been there for longest. */
static weir_member_t *choose_among_ill(kit_look_t *look)
{
    weir_member_t *found = NULL;
    uint64_t first_us = UINT64_MAX;

    look->has_ramps = false;
    for (size_t i = 0; i < look->view->count; i++) {
        weir_member_t *member = look->view->members[i];
        uint8_t check = KIT_READ(member->check);
        uint64_t since_us = kit_quarantined_at_us(member);
        if (KIT_READ(member->quarantine) == KIT_FREE || !is_eligible(look, member) || is_full(look, member))
            continue;
        if (check == KIT_CHECK_STARTING || (check == KIT_CHECK_FAILED && !look->ignores_checks))
            continue;
        if (since_us < first_us) {
            found = member;
            first_us = since_us;
        }
    }
    return found;
}

static kit_pick_t picked(const kit_look_t *look, weir_member_t *member, kit_how_t how)
{
    if (KIT_READ(member->quarantine) == KIT_TRIAL)
        how = KIT_BY_TRIAL;
    else if (look->view->count == 1 && how != KIT_BY_PREFERENCE)
        how = KIT_BEING_THE_ONLY;
    else if (KIT_READ(member->check) == KIT_CHECK_FAILED)
        how = KIT_BY_PANIC;
    return (kit_pick_t){.member = member, .how = how};
}

static bool ignores_checks(const kit_view_t *view)
{
    return view->count == 1 || kit_is_panic(view);
}

kit_look_t kit_look_begin(const kit_view_t *view, const kit_wish_t *wish)
{
    return (kit_look_t){
        .view = view,
        .wish = wish,
        .why = KIT_NONE_EXISTS,
        .ignores_checks = ignores_checks(view),
        .takes_trials = wish->may_be_trial && !wish->wants_any_key,
    };
}

const weir_member_t *kit_view_only(const kit_view_t *view, const kit_wish_t *wish)
{
    const kit_look_t look = kit_look_begin(view, wish);
    const weir_member_t *only = NULL;

    for (size_t i = 0; i < view->count; i++) {
        const weir_member_t *member = view->members[i];
        if (!is_eligible(&look, member) || !kit_is_well(member, look.ignores_checks))
            continue;
        if (only != NULL)
            return NULL;
        only = member;
    }
    return only;
}

kit_pick_t kit_choose(const kit_view_t *view, const kit_wish_t *wish)
{
    kit_look_t look = kit_look_begin(view, wish);
    kit_how_t how = KIT_BY_PREFERENCE;
    weir_member_t *member;

    member = preferred(look);
    if (member == NULL)
        member = choose_in_tiers(&look, &how);
    if (member == NULL && look.why != KIT_ALL_FULL && look.has_passed_trials) {
        look.takes_trials = true; /* better than nobody */
        member = choose_in_tiers(&look, &how);
    }
    if (member != NULL)
        return picked(&look, member, how);
    member = wish->tries_ill && look.why != KIT_ALL_FULL ? choose_among_ill(&look) : NULL;
    if (member != NULL)
        return (kit_pick_t){.member = member, .how = KIT_BY_LAST_RESORT};
    return (kit_pick_t){.how = KIT_BY_NOTHING, .why_none = look.why};
}
