/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_SET_H
#define WEIR_KIT_SET_H
/**
 * @file  A set: an app's members and what is known of them while the proxy runs. All configurations that name the app share it.
 *
 * OWNER    Its instance, as long as a configuration holds it.
 * THREAD   What is published (view, settings) and atomic: any. The rest: under the instance's lock.
 */
#include <pthread.h>

#include "address.h"
#include "due.h"
#include "member.h"
#include "ring.h"
#include "settings.h"
#include "weir_kit.h"

/** What a configuration says of a member. */
typedef struct kit_wanted {
    place_t place;         /* of a name: whose addresses are the members */
    bool is_name;          /* "dns:…"                                     */
    struct kit_name *name; /* with is_name: what is known of it; NULL before it is in force */
    char *id;
    bool has_id; /* it was written; else the id is the address */
    uint32_t weight;
    uint8_t tier;
    char *zone;             /* NULL: none */
    uint32_t request_limit; /* 0: the app's */
    kit_admin_t admin;
    uint32_t capacity; /* of a worker, at present; 0: it is paused       */
    char *check_path;  /* of a worker: where it is asked; NULL: as `health` */
    kit_label_t *labels;
    size_t label_count;
    uint64_t ramp_from_ms; /* with ramp_ms; on the wall's clock */
    uint32_t ramp_ms;      /* of a drain: who is pinned there leaves by and by, in so long; 0: when it is off */
} kit_wanted_t;

struct kit_queue;

/** What an operator wants of new requests: that they go on, wait, or are sent away. See weir_set_pause(). */
typedef enum kit_course { KIT_RUNNING, KIT_PAUSED, KIT_STOPPED } kit_course_t;

/** What there is of a set from its first request on. */
typedef struct kit_activity {
    _Alignas(64) kit_cells_t cells; /* of all members, as the ticks know them */
    kit_cells_t repeats;            /* requests, and what was sent again; only with `retry` */
    _Atomic uint64_t clients;       /* of the last 10 to 20 s: a bit for each 64th of the addresses */
    _Atomic uint64_t clients_before;
    _Atomic uint64_t pause_until_us;
    _Atomic(struct kit_queue *) queue; /* NULL: nobody has waited yet */
    pthread_mutex_t health_lock;       /* one judgement at a time     */
    _Atomic uint64_t retries;          /* what was sent again, in all                */
    uint64_t requests, failures;       /* in all, as the ticks know them; failures are requests, too: the instance's */
    uint64_t tick_second;              /* of the last tick that looked at its health; 0: none has */
    kit_due_t rest;                    /* while it is not used: when this is given back; rest.h   */
    weir_set_t *set;                   /* whose, for that                                         */
} kit_activity_t;

struct weir_set {
    /* ---- each request ---- */
    _Alignas(64) _Atomic(kit_view_t *) view;
    _Atomic(kit_settings_t *) settings;
    _Atomic(kit_ring_t *) ring; /* NULL: no affinity */
    _Atomic(struct kit_pins *) pins;
    _Atomic(kit_activity_t *) activity; /* NULL: nobody has wanted anything yet; see kit_activity_of() */
    _Atomic uint64_t ticket;
    _Atomic uint32_t in_flight; /* only counted if there is a limit for the app */
    _Atomic uint32_t waiting;   /* in the queue */
    _Atomic uint32_t window;    /* most in flight, while many are let go by and by; 0: no such bound */
    _Atomic uint8_t course;     /* kit_course_t */
    _Atomic uint8_t is_used;    /* it is in the list of those that ticks visit  */
    _Atomic uint8_t is_touched; /* since the last tick that looked              */
    _Atomic bool has_ticks;
    /* ---- the instance's ---- */
    struct kit_instance *instance;
    weir_set_t *next;        /* of the same hash          */
    weir_set_t *next_used;   /* of those that ticks visit */
    weir_member_t **members; /* as configured                              */
    weir_member_t **leaving; /* no longer in a view, and not yet idle */
    uint64_t used_at_us;     /* a request has come, as the ticks know it    */
    uint32_t member_count, leaving_count;
    uint32_t holders;          /* configurations */
    bool is_started;           /* one of them was put in force */
    bool is_panic;             /* as was told                                 */
    uint8_t idle_ticks;        /* since its last request                      */
    _Atomic bool awaits_names; /* backends may come of names that have not been answered yet */
    char name[];
};

_Static_assert(sizeof(struct weir_set) == 128, "one line for requests, one for the instance: a proxy may have many");

/** record.c: the activity of a set that has none; of two threads one makes it. */
kit_activity_t *kit_activity_make(weir_set_t *set);

/** Of type void (*)(void *), for weir_retire(). Harmless on NULL. */
void kit_activity_free(void *of);

/** NULL: nobody has wanted anything yet, or for long. Any thread. */
static inline kit_activity_t *kit_activity(const weir_set_t *set)
{
    return atomic_load_explicit(&set->activity, memory_order_acquire);
}

/** Made if there is none yet. Any thread. */
static inline kit_activity_t *kit_activity_of(weir_set_t *set)
{
    kit_activity_t *activity = kit_activity(set);

    return activity != NULL ? activity : kit_activity_make(set);
}

/** NULL: nobody has waited yet. Any thread. */
static inline struct kit_queue *kit_queue(const weir_set_t *set)
{
    const kit_activity_t *activity = kit_activity(set);

    return activity == NULL ? NULL : atomic_load_explicit(&activity->queue, memory_order_acquire);
}

static inline bool kit_is_paused(const weir_set_t *set)
{
    return atomic_load(&set->course) == KIT_PAUSED;
}

weir_set_t *kit_set_create(struct kit_instance *instance, weir_span_t name);
/** Nobody holds it. What readers may still look at is retired. */
void kit_set_destroy(weir_set_t *set);
/**
 * Puts a configuration in force: members that are known stay what they are. The hold of the settings becomes the set's. Under
 * the instance's lock; a set of which nobody else knows yet under none.
 */
void kit_set_apply(weir_set_t *set, kit_settings_t *settings, kit_ring_t *ring, kit_manner_t *manner,
                   const kit_wanted_t *wanted, size_t count, const char *zone, uint64_t now_us);
/** Lets go of members that have left, are idle and drain no more; how many are left. Under the instance's lock. */
size_t kit_set_sweep(weir_set_t *set, uint64_t now_us);
/** The member of this id; NULL: there is none. Under the instance's lock. */
weir_member_t *kit_set_find(const weir_set_t *set, const char *id);
/** A member's agent has said something else: its weight, or that it drains. Under the instance's lock. */
void kit_set_heed(weir_set_t *set, weir_member_t *member, uint64_t now_us);
/** Makes pins anew if the keys are others. Under the instance's lock. */
void kit_set_follow_ring(weir_set_t *set);

#endif
