/* SPDX-License-Identifier: MIT */
/* The slots of a request: one of its member, and one of its app where that has a limit. */
#include "alloc.h"
#include "health.h"
#include "lease.h"
#include "pin.h"
#include "tell.h"

enum { TAKES_MOST = 3 };

uint64_t kit_lease_roll(void *request)
{
    return weir_random(request);
}

static bool has_room(uint64_t load, uint32_t limit, uint32_t tunnel_limit)
{
    return (limit == 0 || kit_in_flight(load) < limit) && (tunnel_limit == 0 || kit_tunnels(load) < tunnel_limit);
}

static uint32_t tunnel_limit_of(const weir_member_t *member, bool is_upgrade)
{
    return is_upgrade ? atomic_load_explicit(&member->tunnel_limit, memory_order_relaxed) : 0;
}

/* One slot and one that waits for its head; false: it is full. */
static bool take_slot(const kit_view_t *view, weir_member_t *member, bool is_upgrade, uint64_t now_us)
{
    const uint32_t limit = kit_request_limit(view, member, now_us), tunnel_limit = tunnel_limit_of(member, is_upgrade);
    uint64_t load = atomic_load_explicit(&member->load, memory_order_relaxed);

    do {
        if (!has_room(load, limit, tunnel_limit))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&member->load, &load, load + kit_lease_load(is_upgrade),
                                                    memory_order_seq_cst, memory_order_relaxed));
    if (kit_waiting(load) == 0)
        atomic_store_explicit(&member->waiting_since_us, now_us, memory_order_relaxed);
    return true;
}

static bool take_trial(weir_member_t *member, uint64_t now_us)
{
    uint8_t none = 0;

    if (!atomic_compare_exchange_strong(&member->has_trial, &none, 1))
        return false;
    atomic_store_explicit(&kit_trouble_of(member)->trial_at_us, now_us, memory_order_relaxed);
    return true;
}

static bool has_app_room(uint32_t count, const kit_settings_t *settings)
{
    return settings->app_max_requests == 0 || count < settings->app_max_requests;
}

static bool take_app(kit_lease_t *lease, const kit_settings_t *settings)
{
    uint32_t count = atomic_load_explicit(&lease->set->in_flight, memory_order_relaxed);

    if (settings->app_max_requests == 0)
        return true;
    do {
        if (!has_app_room(count, settings))
            return false;
    } while (!atomic_compare_exchange_weak(&lease->set->in_flight, &count, count + 1));
    return lease->is_counted = true;
}

void kit_lease_free_app(kit_lease_t *lease)
{
    if (lease->is_counted)
        atomic_fetch_sub(&lease->set->in_flight, 1);
    lease->is_counted = false;
}

/* A slot of one that leaves is none: who has not seen it taken may free the member. */
static bool take_slot_of_present(const kit_view_t *view, weir_member_t *member, bool is_upgrade, uint64_t now_us)
{
    if (!take_slot(view, member, is_upgrade, now_us))
        return false;
    if (atomic_load(&member->admin) != KIT_OFF)
        return true;
    kit_lease_free(member, kit_lease_load(is_upgrade));
    return false;
}

static bool take(kit_lease_t *lease, const kit_view_t *view, const kit_pick_t *pick, bool is_upgrade, uint64_t now_us)
{
    weir_member_t *member = pick->member;
    const bool is_trial = pick->how == KIT_BY_TRIAL;

    if (is_trial && !take_trial(member, now_us))
        return false;
    if (!take_slot_of_present(view, member, is_upgrade, now_us)) {
        if (is_trial)
            atomic_store(&member->has_trial, 0);
        return false;
    }
    (void)kit_record_of(member); /* whoever has had a request has one: ticks look at no others */
    lease->claims_tunnel = is_upgrade;
    lease->is_trial = is_trial;
    lease->trial_at_us = now_us;
    return true;
}

/* `takes`: the turn is this request's, and the next one gets another. */
static uint64_t ticket_of(const kit_lease_t *lease, const kit_settings_t *settings, bool takes)
{
    if (settings->choice.balance != KIT_ROUND_ROBIN)
        return 0;
    return takes ? atomic_fetch_add_explicit(&lease->set->ticket, 1, memory_order_relaxed)
                 : atomic_load_explicit(&lease->set->ticket, memory_order_relaxed);
}

static kit_wish_t wish_of(const kit_lease_t *lease, const kit_asking_t *asking, const kit_settings_t *settings,
                          const weir_member_t *tried[KIT_TRIES_MOST], bool takes)
{
    for (size_t i = 0; i < lease->tried_count; i++)
        tried[i] = kit_lease_tried(lease, i);
    return (kit_wish_t){
        .ticket = ticket_of(lease, settings, takes),
        .is_upgrade = asking->is_upgrade,
        .may_be_trial = asking->may_be_trial,
        .has_key = lease->has_key || lease->has_session,
        .wants_any_key = lease->has_session,
        .key = lease->has_session ? lease->session_key : lease->key,
        .preferred = lease->has_session ? NULL : lease->preferred,
        .tried = tried,
        .tried_count = lease->tried_count,
        .may = lease->may,
        .may_context = lease->may_context,
        .drawn = kit_tell_drawn(lease),
        .tries_ill = settings->hold_ms == 0,
    };
}

/* One look at a view. NULL: *out_why. */
static weir_member_t *take_of(kit_lease_t *lease, const kit_view_t *view, const kit_wish_t *wish, kit_why_none_t *out_why)
{
    for (int i = 0; i < TAKES_MOST; i++) { /* somebody else may be faster */
        if (wish->drawn != NULL)
            wish->drawn->count = 0;
        kit_pick_t pick = kit_choose(view, wish);
        *out_why = pick.member == NULL ? pick.why_none : KIT_ALL_FULL;
        if (pick.member == NULL)
            return NULL;
        if (!take(lease, view, &pick, wish->is_upgrade, wish->now_us))
            continue;
        lease->how = (uint8_t)pick.how;
        return pick.member;
    }
    return NULL;
}

/* KIT_BY_NOTHING: nowhere, so that its pin is to be let go of. */
static kit_pick_t pick_of_pin(const kit_lease_t *lease, const kit_asking_t *asking)
{
    const bool is_trial = atomic_load_explicit(&lease->pinned->quarantine, memory_order_relaxed) == KIT_TRIAL;

    if (kit_pin_leads_nowhere(lease) || (is_trial && !asking->may_be_trial))
        return (kit_pick_t){.how = KIT_BY_NOTHING};
    return (kit_pick_t){.member = lease->pinned, .how = is_trial ? KIT_BY_TRIAL : KIT_BY_PIN};
}

/* One that is pinned goes to its member, or waits for it; but it does not wait for another's trial. */
static weir_member_t *take_pinned(kit_lease_t *lease, const kit_settings_t *settings, const kit_asking_t *asking,
                                  const kit_view_t *view, uint64_t now_us)
{
    const kit_pick_t pick = pick_of_pin(lease, asking);

    if (pick.member != NULL && take(lease, view, &pick, asking->is_upgrade, now_us)) {
        lease->how = (uint8_t)pick.how;
        return pick.member;
    }
    if (pick.how != KIT_BY_PIN)
        (void)kit_pin_let_go(lease, settings);
    return NULL;
}

/* Members leave a view that was replaced: whom nobody of it will take looks at the newest. */
weir_member_t *kit_lease_take(kit_lease_t *lease, const kit_asking_t *asking, uint64_t (*dice)(void *context), void *context,
                              uint64_t now_us, kit_why_none_t *out_why)
{
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);
    const kit_view_t *view, *looked_at = NULL;
    const weir_member_t *tried[KIT_TRIES_MOST];
    kit_wish_t wish = wish_of(lease, asking, settings, tried, true);

    *out_why = KIT_ALL_FULL;
    if (!take_app(lease, settings))
        return NULL;
    wish.dice = dice;
    wish.dice_context = context;
    wish.now_us = now_us;
    while ((view = atomic_load_explicit(&lease->set->view, memory_order_acquire)) != looked_at) {
        weir_member_t *member = lease->pinned != NULL ? take_pinned(lease, settings, asking, view, now_us) : NULL;
        if (lease->pinned == NULL)
            member = take_of(lease, view, &wish, out_why);
        if (member != NULL)
            return member;
        looked_at = view;
    }
    kit_lease_free_app(lease);
    return NULL;
}

kit_why_none_t kit_lease_why(kit_lease_t *lease, const weir_request_t *request)
{
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);
    const kit_view_t *view = atomic_load_explicit(&lease->set->view, memory_order_acquire);
    const weir_member_t *tried[KIT_TRIES_MOST];
    const kit_asking_t asking = {false, false};
    kit_wish_t wish = wish_of(lease, &asking, settings, tried, false);

    wish.dice = kit_lease_roll;
    wish.dice_context = (void *)(uintptr_t)request;
    wish.now_us = weir_now_us(request);
    wish.tries_ill = false;
    wish.drawn = NULL;
    kit_pick_t pick = kit_choose(view, &wish);
    return pick.member != NULL ? KIT_WOULD_DO : pick.why_none;
}

/* Whether take() would take it now. */
static bool could_take(const kit_view_t *view, const kit_pick_t *pick, bool is_upgrade, uint64_t now_us)
{
    const weir_member_t *member = pick->member;

    if (pick->how == KIT_BY_TRIAL && atomic_load(&member->has_trial) != 0)
        return false;
    return has_room(atomic_load_explicit(&member->load, memory_order_relaxed), kit_request_limit(view, member, now_us),
                    tunnel_limit_of(member, is_upgrade)) &&
           atomic_load(&member->admin) != KIT_OFF;
}

/* As take_pinned() and take_of() would, one behind the other. */
static kit_pick_t look_at(kit_lease_t *lease, const kit_settings_t *settings, const kit_asking_t *asking,
                          const kit_view_t *view, const kit_wish_t *wish)
{
    kit_pick_t pick = {.how = KIT_BY_NOTHING, .why_none = KIT_ALL_FULL};

    if (lease->pinned != NULL)
        pick = pick_of_pin(lease, asking);
    if (pick.member != NULL && could_take(view, &pick, asking->is_upgrade, wish->now_us))
        return pick;
    if (lease->pinned != NULL && pick.how != KIT_BY_PIN)
        (void)kit_pin_let_go(lease, settings);
    if (lease->pinned == NULL)
        pick = kit_choose(view, wish);
    if (pick.member == NULL || (lease->pinned == NULL && could_take(view, &pick, asking->is_upgrade, wish->now_us)))
        return pick;
    return (kit_pick_t){.how = KIT_BY_NOTHING, .why_none = KIT_ALL_FULL};
}

void kit_lease_look(kit_lease_t *lease, const kit_asking_t *asking, const weir_request_t *request, kit_lease_look_t *out)
{
    const kit_settings_t *settings = atomic_load_explicit(&lease->set->settings, memory_order_acquire);
    const weir_member_t *tried[KIT_TRIES_MOST];
    kit_wish_t wish = wish_of(lease, asking, settings, tried, false);

    wish.dice = kit_lease_roll;
    wish.dice_context = (void *)(uintptr_t)request;
    wish.now_us = weir_now_us(request);
    wish.drawn = &out->drawn;
    out->drawn.count = 0;
    out->view = atomic_load_explicit(&lease->set->view, memory_order_acquire);
    out->is_app_full = !has_app_room(atomic_load(&lease->set->in_flight), settings);
    out->pick = (kit_pick_t){.how = KIT_BY_NOTHING, .why_none = KIT_ALL_FULL};
    if (!out->is_app_full)
        out->pick = look_at(lease, settings, asking, out->view, &wish);
    free(out->because);
    out->because = kit_alloc(kit_view_count(out->view) + 1, sizeof(out->because[0]));
    kit_choose_because(out->view, &wish, &out->pick, out->because);
}

const weir_member_t *kit_lease_only(const kit_lease_t *lease, const weir_request_t *request)
{
    const kit_wish_t wish = {.now_us = weir_now_us(request), .may = lease->may, .may_context = lease->may_context};

    return kit_view_only(atomic_load_explicit(&lease->set->view, memory_order_acquire), &wish);
}

void kit_lease_free(weir_member_t *member, uint64_t load)
{
    atomic_fetch_sub_explicit(&member->load, load, memory_order_seq_cst);
}
