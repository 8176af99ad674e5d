/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_LEASE_H
#define WEIR_KIT_LEASE_H
/**
 * @file  What lies in a weir_lease_t: one request's dealings with one set.
 *
 * OWNER    The request's state.
 * THREAD   The request's; while it waits, whoever holds the queue's lock.
 */
#include "choose.h"
#include "set.h"

struct kit_waiter;

/** What a request is to the affinity of its app. */
typedef enum kit_pin_state { KIT_PIN_NONE, KIT_PIN_NEW, KIT_PIN_KEPT, KIT_PIN_MOVED, KIT_PIN_BORROWED } kit_pin_state_t;

typedef struct kit_lease {
    weir_set_t *set;
    weir_member_t *member;                    /* picked, and not given back          */
    kit_address_t *addresses[KIT_TRIES_MOST]; /* where it was sent to: held until the end */
    const weir_fault_t *last;                 /* why the last attempt could not be made   */
    struct kit_waiter *waiter;                /* while it waits                            */
    bool (*may)(const weir_member_t *member, void *context);
    void *may_context;
    const weir_member_t *preferred; /* to be compared with: it may be gone; NULL: nobody */
    struct kit_told *told;          /* what its client may know; NULL: nothing. Freed with the lease */
    weir_member_t *pinned;          /* nobody else will do, as long as it stands here */
    uint64_t session_key, pin_issued_s;
    uint64_t key;
    uint64_t trial_at_us; /* with is_trial: which one  */
    uint64_t arrived_us;  /* when it first had to wait: its deadline counts from here */
    uint32_t waited_ms;
    uint8_t picks;       /* of which addresses tell   */
    uint8_t repeats;     /* of what may have run      */
    uint8_t repeat_kind; /* KIT_RETRY_…: the last one's reason */
    uint8_t tried_count; /* the last so many of them: since it last waited */
    uint8_t pauses;      /* before the same member was tried again */
    uint16_t pause_ms;   /* the one that is due; 0: none */
    uint8_t how;         /* kit_how_t, of the last pick */
    uint8_t pin_state;   /* kit_pin_state_t            */
    bool has_session, is_pin_invalid, writes_pin;
    bool has_key, has_head, is_tunnel, claims_tunnel, is_held, is_counted, is_trial;
    bool was_too_early, was_misdirected; /* it was sent again for that */
    bool has_not_connected;              /* the latest attempt */
} kit_lease_t;

_Static_assert(sizeof(kit_lease_t) <= sizeof(weir_lease_t), "a lease has its place in a router's state");

static inline kit_lease_t *kit_lease_of(weir_lease_t *lease)
{
    return (kit_lease_t *)(void *)lease;
}

/** A member that it has tried since it last waited, to be compared with: it may be gone. 0 … tried_count − 1. */
static inline const weir_member_t *kit_lease_tried(const kit_lease_t *lease, size_t index)
{
    return lease->addresses[lease->picks - lease->tried_count + index]->of;
}

/** What a request brings to a choice; kept by those who wait, as others choose for them. */
typedef struct kit_asking {
    bool is_upgrade, may_be_trial;
} kit_asking_t;

/**
 * Chooses, and takes a slot. NULL: *out_why. `dice` and `context` as in kit_wish_t. Does not look at the queue.
 */
weir_member_t *kit_lease_take(kit_lease_t *lease, const kit_asking_t *asking, uint64_t (*dice)(void *context), void *context,
                              uint64_t now_us, kit_why_none_t *out_why);

/** One look of a request that is explained. */
typedef struct kit_lease_look {
    const kit_view_t *view; /* as long as the instance's lock is held */
    kit_pick_t pick;
    bool is_app_full;       /* so nobody was chosen */
    kit_drawn_t drawn;      /* who was compared     */
    kit_because_t *because; /* of the view's members; to be freed */
} kit_lease_look_t;

/**
 * What kit_lease_take() would do now: takes nothing, and counts nothing. A pin that it would let go of is gone from the lease.
 * Under the instance's lock. *out may be of another look.
 */
void kit_lease_look(kit_lease_t *lease, const kit_asking_t *asking, const weir_request_t *request, kit_lease_look_t *out);

/** What becomes of a request that asks for a member. */
typedef enum kit_turn { KIT_TURN_TAKES, KIT_TURN_PAUSES, KIT_TURN_QUEUES, KIT_TURN_HOLDS, KIT_TURN_REFUSED } kit_turn_t;

/** Reads what the request says of the choice: its key, its pin. */
void kit_lease_read(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request);
kit_asking_t kit_lease_asking(const weir_request_t *request);
/** Before any choice: whether it may look for a member at all. REFUSED: *out_fault. */
kit_turn_t kit_lease_turn(const kit_lease_t *lease, const kit_settings_t *settings, uint64_t now_us,
                          const weir_fault_t **out_fault);
/** Whether it may look at once, though others may wait. */
bool kit_lease_may_look(const kit_lease_t *lease);
/** It has none: what is to be done, and *why, which is what the look has said, is made better known. */
kit_turn_t kit_lease_turn_behind(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request,
                                 kit_why_none_t *why);
/** What a request is refused with that has none. */
const weir_fault_t *kit_lease_refusal(const kit_lease_t *lease, kit_why_none_t why);

/** Why no member that it has not tried would have it now; KIT_WOULD_DO: one would. Takes nothing. */
kit_why_none_t kit_lease_why(kit_lease_t *lease, const weir_request_t *request);
#define KIT_WOULD_DO ((kit_why_none_t)(KIT_NONE_EXISTS + 1))

/** The only member that could take it, slots and earlier tries aside; NULL: there is none, or more than one. */
const weir_member_t *kit_lease_only(const kit_lease_t *lease, const weir_request_t *request);

/** "best", "pin": how the last pick came about; NULL: there was none. */
const char *kit_lease_how(const kit_lease_t *lease);

/**
 * What a request takes of its member: a slot, as one that waits for its head. One that wants to be a tunnel counts as one from
 * the first: else more could become tunnels than may.
 */
static inline uint64_t kit_lease_load(bool is_upgrade)
{
    return KIT_ONE_IN_FLIGHT + KIT_ONE_WAITING + (is_upgrade ? KIT_ONE_TUNNEL : 0);
}
/** The slot is free again. */
void kit_lease_free(weir_member_t *member, uint64_t load);
/** The app's, too. Harmless if it has none. */
void kit_lease_free_app(kit_lease_t *lease);
/** Random bits of the request, as choices want them. */
uint64_t kit_lease_roll(void *request);

#endif
