/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_MEMBER_H
#define WEIR_KIT_MEMBER_H
/**
 * @file  A member: one backend of an app, with all that is known of it while the proxy runs.
 *
 * It is found again by (instance, app, id) over reloads. What changes with each request stands in a line of the cache of its
 * own; everybody counts in the same, and what ticks make of it stands in its record. Of most members of a large table nobody
 * wants anything: those have no record. Of most of the others nothing bad is known: those have no troubles.
 *
 * OWNER    Its set. Freed when it was removed, nobody holds it, and a grace period has passed.
 * THREAD   Atomics: any. The rest: the writer's, under the instance's lock, and constant while the member is in a view.
 */
#include <stdatomic.h>

#include "address.h"

/** What an operator wants of it. */
typedef enum kit_admin { KIT_UP, KIT_DRAINING, KIT_OFF } kit_admin_t;
/** What its active check says; NONE: it has no check, and is believed to be well. */
typedef enum kit_check { KIT_CHECK_NONE, KIT_CHECK_STARTING, KIT_CHECK_PASSED, KIT_CHECK_FAILED } kit_check_t;
/** What its answers say. TRIAL: the quarantine is over, one request at a time until one succeeds. */
typedef enum kit_quarantine { KIT_FREE, KIT_CONNECT, KIT_FAILING, KIT_SILENT, KIT_TRIAL } kit_quarantine_t;

/* One word, so that a request counts itself in and out with one addition each. */
enum { KIT_WAITING_SHIFT = 24, KIT_TUNNELS_SHIFT = 44, KIT_COUNT_MOST = 1 << 20 };
#define KIT_ONE_IN_FLIGHT UINT64_C(1)
#define KIT_ONE_WAITING (UINT64_C(1) << KIT_WAITING_SHIFT)
#define KIT_ONE_TUNNEL (UINT64_C(1) << KIT_TUNNELS_SHIFT)

typedef struct weir_member weir_member_t;

/** Answers and failures of the last ten seconds, in cells of one. */
enum { KIT_CELLS = 10 };
typedef struct kit_cells {
    _Atomic uint32_t answers[KIT_CELLS], failures[KIT_CELLS];
} kit_cells_t;

typedef struct kit_label {
    char *name, *value;
} kit_label_t;

/** What may be asked of a member beside its numbers. Never changed: replaced as a whole. */
typedef struct kit_labels {
    size_t count;
    kit_label_t at[];
} kit_labels_t;

/** A success is counted, and its time to the head summed up, with one addition: see weir_member.heard. Both wrap. */
enum { KIT_HEARD_BITS = 20 };
#define KIT_HEARD_COUNT (((uint64_t)1 << KIT_HEARD_BITS) - 1)

/** What the ticks know of a member that has had a request. Made then, and freed with the member. */
typedef struct kit_record {
    _Atomic uint64_t heard_before;         /* the member's `heard` at the last tick                  */
    _Atomic uint64_t succeeded;            /* in all, up to the last tick                            */
    _Atomic uint32_t successes[KIT_CELLS]; /* of the last ten seconds, up to the last tick           */
    float head_us, answers;                /* they fade: half of them is older than 3.4 s            */
} kit_record_t;

/** What is known of one that has failed, or was tried, drained, pushed back. Made then; freed with the member. */
typedef struct kit_trouble {
    _Atomic uint32_t failures[KIT_CELLS];                   /* of the last ten seconds */
    _Atomic uint64_t failed_clients, failed_clients_before; /* of 10 to 20 s: a bit for each 64th of the addresses      */
    _Atomic uint32_t failures_in_a_row, connect_failures_in_a_row;
    _Atomic uint32_t failed_client;    /* of the last failure with a status: a hash of its address */
    _Atomic uint32_t quarantine_times; /* falls by one in each minute of being well                */
    _Atomic uint64_t quarantined_at_us, quarantine_until_us, trial_at_us;
    _Atomic uint64_t pushed_back_until_us; /* it has said 429, or 503 with Retry-After */
    _Atomic uint64_t ill_since_us;         /* not well since; 0: it is                 */
    _Atomic uint64_t failed;               /* in all                                   */
    _Atomic uint64_t ramp_from_us;         /* with ramp_ms                             */
    _Atomic uint32_t ramp_ms;              /* kit_wanted_t has it                      */
    /* ---- the writer's ---- */
    struct kit_probe *connecting; /* while it is tried whether it can be connected to, or NULL; check.h        */
    uint64_t drain_until_us;      /* of one that leaves: who is pinned to it may come until then */
    /* ---- the ticks' ---- */
    struct {
        double failed;          /* fades as the record's sums do  */
        uint64_t failed_before; /* as it was at the last tick     */
        uint64_t well_since_us, connect_tried_at_us;
    } tick;
} kit_trouble_t;

struct weir_member {
    /* ---- each request ---- */
    _Alignas(64) _Atomic uint64_t load; /* in flight: 24 bits, without a head yet: 20, tunnels: 20 */
    _Atomic uint64_t head_at_us;        /* the last final head came                        */
    _Atomic uint64_t waiting_since_us;  /* when the first of those without a head was sent  */
    _Atomic uint32_t request_limit;     /* max-requests; 0: none                            */
    _Atomic uint32_t tunnel_limit;      /* max-tunnels; 0: none                             */
    _Atomic uint64_t heard;             /* successes in the lower bits, above them their times to the head in us */
    _Atomic uint8_t handicap;           /* 0 … 4; see health.c                              */
    _Atomic uint8_t is_silent;
    _Atomic uint8_t admin;      /* kit_admin_t      */
    _Atomic uint8_t check;      /* kit_check_t      */
    _Atomic uint8_t quarantine; /* kit_quarantine_t */
    _Atomic uint8_t has_trial;  /* the one request of a trial is under way          */
    /* ---- what seldom changes ---- */
    _Atomic uint8_t tier;    /* 0 … 9 */
    uint8_t own_admin;       /* kit_admin_t, as configured; own_weight likewise */
    uint16_t own_weight;     /* 0 … 1000 */
    _Atomic uint32_t weight; /* 0 … 2000: as configured, or what its agent makes of that */
    /* ---- what is replaced as a whole, and read by requests ---- */
    _Alignas(64) _Atomic(kit_address_t *) address;
    _Atomic(kit_labels_t *) labels;   /* NULL: none */
    _Atomic(kit_record_t *) record;   /* NULL: nothing has happened yet; see kit_record_of() */
    _Atomic(kit_trouble_t *) trouble; /* NULL: nothing bad has; see kit_trouble_of()       */
    char *id;                         /* constant; behind the member */
    /* ---- the writer's ---- */
    char *zone;                    /* NULL: none */
    struct kit_checker *checker;   /* NULL: it has no active check; check.h */
    _Atomic uint64_t joined_at_us; /* or came back; 0: it was there at the start */
};

_Static_assert(sizeof(struct weir_member) == 128, "one line for requests, one for what is seldom read: a proxy may have many");

/** record.c: the record of a member that has none; of two threads one makes it. */
kit_record_t *kit_record_make(weir_member_t *member);

/** NULL: nothing is known. Any thread. */
static inline kit_record_t *kit_record(const weir_member_t *member)
{
    return atomic_load_explicit(&member->record, memory_order_acquire);
}

/** Made if there is none yet. Any thread. */
static inline kit_record_t *kit_record_of(weir_member_t *member)
{
    kit_record_t *record = kit_record(member);

    return record != NULL ? record : kit_record_make(member);
}

/** record.c: the same of its troubles. */
kit_trouble_t *kit_trouble_make(weir_member_t *member);

/** NULL: there were none. Any thread. */
static inline kit_trouble_t *kit_trouble(const weir_member_t *member)
{
    return atomic_load_explicit(&member->trouble, memory_order_acquire);
}

/** Made if there is none yet. Any thread. */
static inline kit_trouble_t *kit_trouble_of(weir_member_t *member)
{
    kit_trouble_t *trouble = kit_trouble(member);

    return trouble != NULL ? trouble : kit_trouble_make(member);
}

/** When its quarantine began, or the trial behind it; 0: never. */
static inline uint64_t kit_quarantined_at_us(const weir_member_t *member)
{
    const kit_trouble_t *trouble = kit_trouble(member);

    return trouble == NULL ? 0 : atomic_load_explicit(&trouble->quarantined_at_us, memory_order_relaxed);
}

/** Since when it is not well; 0: it is. */
static inline uint64_t kit_ill_since_us(const weir_member_t *member)
{
    const kit_trouble_t *trouble = kit_trouble(member);

    return trouble == NULL ? 0 : atomic_load_explicit(&trouble->ill_since_us, memory_order_relaxed);
}

/** How long ago that was; 0 of what has come since the clock was read: ticks read it once. */
static inline uint64_t kit_since(uint64_t now_us, uint64_t then_us)
{
    return now_us > then_us ? now_us - then_us : 0;
}

static inline uint32_t kit_in_flight(uint64_t load)
{
    return (uint32_t)(load & ((UINT64_C(1) << KIT_WAITING_SHIFT) - 1));
}

static inline uint32_t kit_waiting(uint64_t load)
{
    return (uint32_t)(load >> KIT_WAITING_SHIFT & (KIT_COUNT_MOST - 1));
}

static inline uint32_t kit_tunnels(uint64_t load)
{
    return (uint32_t)(load >> KIT_TUNNELS_SHIFT);
}

#endif
