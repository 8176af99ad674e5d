/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_CHOOSE_H
#define WEIR_KIT_CHOOSE_H
/**
 * @file  Which member gets the next request.
 *
 * A view is an app's members in order of tier and weight, as one publication has them; it never changes. Members of a tier with
 * equal weights are a class: a class is drawn by the sum of its weights, so that weights are exact at any load, and load is
 * compared within it.
 *
 * Its members stay the same, their states do not: those are looked at anew for each request. Sums over all of them that a
 * request cannot afford (for panic, slow start, trials) are those of the last kit_view_refresh().
 *
 * OWNER    Of a view: its set, which retires it when the next one is published. It borrows its members.
 * THREAD   A view may be read by any; it reads the members' atomics. No locks, no memory is taken.
 */
#include "member.h"

typedef enum kit_balance { KIT_BEST, KIT_LEAST, KIT_ROUND_ROBIN, KIT_RANDOM, KIT_HASH } kit_balance_t;

enum {
    KIT_TRIES_MOST = 10,
    KIT_CHOICES_MOST = 8,
    KIT_SCHEDULE_MOST = 4096, /* turns of a tier of unequal weights; of more members: by dice  */
    KIT_SCAN_MOST = 16,       /* members of a tier; for more, owners of hashes stand in a table */
    KIT_SLOTS = 65536,
    KIT_BOUND_LEAST = 8,           /* in flight at a member, which hash_bound_percent never forbids        */
    KIT_TRIAL_PATIENCE_MS = 10000, /* so long a trial waits for a request that may be one; then any will do */
};

/** What is configured of a choice. */
typedef struct kit_choice_settings {
    kit_balance_t balance;
    unsigned choices;            /* drawn for KIT_BEST: 2 … KIT_CHOICES_MOST                    */
    unsigned panic_percent;      /* 0: never                                                      */
    unsigned hash_bound_percent; /* 0: none; 101 … 1000                                         */
    unsigned zone_handicap;      /* 0 … 4, for members of another zone than ours; BEST and LEAST */
    uint32_t slow_start_ms;      /* 0: none                                                       */
    uint64_t hash_seed;
    bool spills; /* the next tier is asked when all of this one are full, too */
} kit_choice_settings_t;

typedef struct kit_view kit_view_t;

/**
 * Makes a view of those of `members` that are up and have a weight, in any order. `zone` (may be NULL) is the proxy's own; a
 * member without one is at home everywhere. Work and memory grow with the members; for KIT_HASH and tiers of more than
 * KIT_SCAN_MOST of them 65,536 hashes a member and 128 KiB a tier. It is as if refreshed when the last member joined.
 * Never NULL.
 */
kit_view_t *kit_view_create(const kit_choice_settings_t *settings, weir_member_t *const *members, size_t count,
                            const char *zone);
/**
 * The same, in the place of `before` (NULL: of none), which has not been retired yet and whose members are all there: a table
 * of owners is not made from scratch then, but costs some 65,536 hashes for each member that comes, goes or changes its weight.
 */
kit_view_t *kit_view_create_after(const kit_view_t *before, const kit_choice_settings_t *settings,
                                  weir_member_t *const *members, size_t count, const char *zone);
/** Harmless on NULL. Of type void (*)(void *), for weir_retire(). */
void kit_view_free(void *view);
/** Will be looked at soon: has what a choice reads come from memory meanwhile, all at once instead of one behind the other. */
void kit_view_fetch(const kit_view_t *view);
/** How many members are in it. */
size_t kit_view_count(const kit_view_t *view);
/** In order of their tiers. */
weir_member_t *kit_view_member(const kit_view_t *view, size_t index);
unsigned kit_view_tier(const kit_view_t *view, size_t index);
/**
 * Looks at all members for what is worked out once for many requests: whether so many failed their checks that it is panic, who
 * ramps, who waits for a trial. For the tick, and whoever changes a check or a quarantine. Any thread; of two at once, either
 * may win until the next.
 */
void kit_view_refresh(const kit_view_t *view, uint64_t now_us);

/**
 * How the pick came about; for logs. BY_TRIAL: whichever way, the member is in trial, and the caller has yet to set has_trial.
 * BY_PANIC: its check says no. BY_LAST_RESORT: it is in quarantine, see tries_ill.
 */
typedef enum kit_how {
    KIT_BY_NOTHING,
    KIT_BY_BEST,
    KIT_BY_LEAST,
    KIT_BY_TURN,
    KIT_BY_DICE,
    KIT_BY_HASH,
    KIT_BY_PIN,
    KIT_BY_TRIAL,
    KIT_BY_PANIC,
    KIT_BEING_THE_ONLY,
    KIT_BY_LAST_RESORT,
    KIT_BY_PREFERENCE,
} kit_how_t;

/** Why there is no pick. The later ones say less hope. */
typedef enum kit_why_none {
    KIT_ALL_FULL,     /* at least one would do, had it a slot free                  */
    KIT_ALL_STARTING, /* at least one waits for its first check, and none is better */
    KIT_ALL_ILL,      /* or in trial, with a request that is under way              */
    KIT_ALL_TRIED,    /* by this request                                            */
    KIT_NONE_EXISTS,  /* or none that this request may have                         */
} kit_why_none_t;

/** Who was compared, for those who are to be told. */
enum { KIT_DRAWN_ID_BYTES = 64 };
typedef struct kit_drawn {
    size_t count;
    struct {
        char id[KIT_DRAWN_ID_BYTES]; /* cut, if it is longer; a copy: the member may be gone */
        uint32_t in_flight;
        uint8_t handicap;
    } at[KIT_CHOICES_MOST];
} kit_drawn_t;

/** Why a member does not get a request. Those behind KIT_IS_FULL are only told: no choice needs them. */
typedef enum kit_because {
    KIT_IS_FINE, /* it would do */
    KIT_IS_OFF,
    KIT_IS_DRAINING,
    KIT_IS_FILTERED, /* the router says so: kit_wish_t.may */
    KIT_IS_TRIED,    /* by this request                    */
    KIT_IS_STARTING, /* it waits for its first check       */
    KIT_IS_CHECK,    /* which has failed                   */
    KIT_IS_CONNECT,
    KIT_IS_FAILING,
    KIT_IS_SILENT,
    KIT_IS_TRIAL_BUSY, /* another request is its trial        */
    KIT_IS_TRIAL,      /* it waits for one that nobody misses */
    KIT_IS_FULL,
    KIT_IS_WEIGHTLESS,
    KIT_IS_SPARE,     /* a tier before its own has somebody, or keeps the request */
    KIT_IS_BOUND,     /* it owns the key, and has too much of the load            */
    KIT_IS_NOT_DRAWN, /* the dice, the turn or the key are another's              */
    KIT_IS_DEARER,    /* it was compared                                          */
} kit_because_t;

/** What one request wants. Zeroed, it wants nothing particular. */
typedef struct kit_wish {
    uint64_t (*dice)(void *context); /* 64 random bits; required */
    void *dice_context;
    uint64_t now_us;
    uint64_t ticket;                   /* of the app, for KIT_ROUND_ROBIN: one more with each request */
    bool is_upgrade;                   /* tunnels count, instead of requests                 */
    bool has_key;                      /* for KIT_HASH; without one it is KIT_BEST           */
    bool may_be_trial;                 /* idempotent and without a body                      */
    bool wants_any_key;                /* the fallback of a pin: by the key, whatever the balance, without bound or trials */
    bool tries_ill;                    /* where none is usable or full: of those in quarantine the one put there first */
    uint64_t key;                      /* hashed, with the settings' seed; see kit_key_of()  */
    const weir_member_t *preferred;    /* if it will do, whatever its tier; compared only: it may be gone. NULL: nobody */
    const weir_member_t *const *tried; /* never chosen again */
    size_t tried_count;
    bool (*may)(const weir_member_t *member, void *context); /* NULL: all may */
    void *may_context;
    kit_drawn_t *drawn; /* NULL: nobody will be told */
} kit_wish_t;

typedef struct kit_pick {
    weir_member_t *member; /* NULL: see why_none */
    kit_how_t how;
    kit_why_none_t why_none;
} kit_pick_t;

/** Chooses. Takes nothing: the slot is the caller's to take, who asks again if somebody was faster. */
kit_pick_t kit_choose(const kit_view_t *view, const kit_wish_t *wish);

/**
 * Why each member of the view has not become `pick`, which kit_choose() has made of the same wish; KIT_IS_FINE: it has. By the
 * index of the member. Of wish->drawn it learns who was compared. No dice are thrown.
 */
void kit_choose_because(const kit_view_t *view, const kit_wish_t *wish, const kit_pick_t *pick, kit_because_t *out);
/** Its word: "full"; "fine". */
const char *kit_because_word(kit_because_t because);

/** The only member that would do, slots and earlier tries aside; NULL: there is none, or more than one. No dice are thrown. */
const weir_member_t *kit_view_only(const kit_view_t *view, const kit_wish_t *wish);

/** How many requests the view's member may have in flight now: its limit, less while it ramps, never below 1; 0: any number. */
uint32_t kit_request_limit(const kit_view_t *view, const weir_member_t *member, uint64_t now_us);

/** cost = (f + 1) · 2^h, in eighths; f = waiting + (in flight − waiting) / 8, for an upgrade tunnels + waiting. */
uint64_t kit_cost_eighths(const weir_member_t *member, unsigned zone_handicap, bool is_upgrade);

/**
 * Whether a member may take requests by what its check and its answers say. In panic a failed check says nothing; one that has
 * not spoken yet (KIT_CHECK_STARTING) keeps a member out always. In trial: if nobody is trying it.
 */
bool kit_is_well(const weir_member_t *member, bool is_panic);
/**
 * Whether some checks have failed, and the members whose checks have not failed (yet) hold less than
 * panic_percent of the view's weight. As the last refresh found it; O(1).
 */
bool kit_is_panic(const kit_view_t *view);

/* hash.c */
/** SipHash-2-4 of the bytes, its key being the seed and 0: the same on all machines. */
uint64_t kit_key_of(uint64_t seed, weir_span_t bytes);
/**
 * A member's score for a key: the highest owns it. w / −ln(u), u uniform in (0, 1) from the key's slot (its upper 16 bits) and
 * the id alone, so that when one of n leaves exactly its own keys move, on all machines alike.
 */
double kit_score(uint64_t seed, uint16_t slot, const char *id, uint32_t weight);

#endif
