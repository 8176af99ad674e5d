/* SPDX-License-Identifier: MIT */
/* What is told of a choice behind it: why each of the others was not chosen. */
#include <string.h>

#include "view.h"

const char *kit_because_word(kit_because_t because)
{
    static const char *const words[] = {
        [KIT_IS_FINE] = "fine",
        [KIT_IS_OFF] = "off",
        [KIT_IS_DRAINING] = "draining",
        [KIT_IS_FILTERED] = "filtered",
        [KIT_IS_TRIED] = "tried",
        [KIT_IS_STARTING] = "starting",
        [KIT_IS_CHECK] = "check",
        [KIT_IS_CONNECT] = "connect",
        [KIT_IS_FAILING] = "failing",
        [KIT_IS_SILENT] = "silent",
        [KIT_IS_TRIAL_BUSY] = "trial-busy",
        [KIT_IS_TRIAL] = "trial",
        [KIT_IS_FULL] = "full",
        [KIT_IS_WEIGHTLESS] = "weight",
        [KIT_IS_SPARE] = "tier",
        [KIT_IS_BOUND] = "bound",
        [KIT_IS_NOT_DRAWN] = "not-drawn",
        [KIT_IS_DEARER] = "cost",
    };

    return words[because];
}

static bool was_drawn(const kit_drawn_t *drawn, const weir_member_t *member)
{
    for (size_t i = 0; drawn != NULL && i < drawn->count; i++)
        if (strncmp(drawn->at[i].id, member->id, KIT_DRAWN_ID_BYTES - 1) == 0)
            return true;
    return false;
}

/* The place of a member in its view; the view's count: it is not there. */
static size_t place_of(const kit_view_t *view, const weir_member_t *member)
{
    size_t index = 0;

    while (index < view->count && view->members[index] != member)
        index++;
    return index;
}

/* It would have done, and stands in the tier that was chosen from. */
static kit_because_t why_another(const kit_look_t *look, size_t index, size_t picked, kit_how_t how)
{
    if (was_drawn(look->wish->drawn, look->view->members[index]))
        return KIT_IS_DEARER;
    if (how != KIT_BY_HASH || look->wish->wants_any_key || kit_look_score(look, index) < kit_look_score(look, picked))
        return KIT_IS_NOT_DRAWN;
    return kit_look_is_within_bound(look, index) ? KIT_IS_NOT_DRAWN : KIT_IS_BOUND;
}

static bool is_in(const kit_tier_t *tier, size_t index)
{
    return index >= tier->first && index < tier->first + tier->count;
}

void kit_choose_because(const kit_view_t *view, const kit_wish_t *wish, const kit_pick_t *pick, kit_because_t *out)
{
    const size_t picked = place_of(view, pick->member);
    kit_look_t look = kit_look_begin(view, wish);

    for (size_t i = 0; i < view->tier_count; i++) {
        look.tier = &view->tiers[i];
        look.has_ramps = kit_tier_has_ramps(view, look.tier, wish->now_us);
        for (size_t k = look.tier->first; k < look.tier->first + look.tier->count; k++) {
            out[k] = k == picked ? KIT_IS_FINE : kit_look_because(&look, k);
            if (k != picked && out[k] == KIT_IS_FINE)
                out[k] = is_in(look.tier, picked) ? why_another(&look, k, picked, pick->how) : KIT_IS_SPARE;
        }
    }
}
