/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_INSTANCE_H
#define WEIR_KIT_INSTANCE_H
/**
 * @file  What all configurations of one name share, and what one of them holds of it.
 *
 * OWNER    An instance is the process's, as long as a kit holds it.
 * THREAD   Under its lock.
 */
#include <jansson.h>

#include "domains.h"
#include "due.h"
#include "keyed.h"
#include "set.h"
#include "weir_state.h"

typedef struct kit_instance {
    struct kit_instance *next;
    char *name; /* NULL: it is nobody else's */
    uint32_t holders;
    pthread_mutex_t lock;
    /* Inside of `lock`: loops, too, put sets there, of apps that slept (asleep.h); walked under either of the two. */
    pthread_mutex_t sets_lock;
    _Atomic(weir_set_t *) *sets;                  /* by their names' hash; another array, and taken out, under both */
    size_t set_count, set_capacity, asleep_count; /* apps that were laid down: the instance's lock */
    kit_ring_t *rings;
    _Atomic(weir_set_t *) fresh;              /* used since the last tick                        */
    weir_set_t *used;                         /* visited by each tick; only ticks touch the list */
    weir_set_t *dropped;                      /* by those who held them; until the sweep         */
    struct weir_kit *started;                 /* newest first: its ticks count, and its members are in force */
    kit_dues_t checks;                        /* kit_checker_t, of members with an active check */
    kit_dues_t rests;                         /* kit_activity_t, of sets that are not used */
    kit_keyed_table_t overlays, domain_edits; /* what operators have changed; overlay.h */
    uint64_t seq;                             /* of the last change                     */
    struct kit_watch *watch;                  /* who watches; NULL: nothing has changed yet; watch.h */
    struct kit_later *laters;                 /* what is to be done with backends; later.h */
    struct kit_wait *waits;                   /* answers that wait; wait.h */
    struct kit_state_file *file;              /* NULL: there is none; state_file.h */
    struct kit_name *names;
    struct kit_claimed *claimed; /* domains that workers have claimed; workers.h */
    kit_dues_t name_questions;   /* kit_name_t */
    struct kit_probe *probes;    /* under way                                      */
    uint64_t dice;               /* of the ticks; see kit_dice() */
} kit_instance_t;

/** What a configuration says of an app. */
typedef struct kit_app {
    char *name;
    _Atomic(void *) extra;     /* the router's */
    _Atomic(weir_set_t *) set; /* NULL until it was put in force; asleep.h */
    kit_settings_t *settings;  /* shared with apps that say the same */
    kit_manner_t *manner;
    kit_wanted_t *wanted;
    uint32_t wanted_count;
    uint8_t asleep_count; /* backends, with `text` */
    bool is_packed;       /* it has `text` in place of `domains`, and of what stands above */
    atomic_bool is_gone;  /* an operator has removed it, or its source has */
    bool is_given;        /* of a source of state; given.h */
    union {
        weir_state_text_t *text; /* what its source says, while nobody has looked at more of it than a request; asleep.h */
        char *domains; /* of a source's: entries as they stand in the table, each with its end; the last is empty. NULL: none */
    };
} kit_app_t;

/** Apps in the order of their names. It never changes; another takes its place. */
typedef struct kit_apps {
    size_t count;
    kit_app_t *at[];
} kit_apps_t;

struct weir_kit {
    kit_instance_t *instance;
    weir_kit_options_t options;
    char *name; /* as configured, or NULL */
    char *zone; /* of the proxy, or NULL   */
    kit_domains_t *domains;
    kit_app_t *apps;
    size_t app_count;              /* that the configuration has */
    _Atomic(kit_apps_t *) by_name; /* and those of operators; NULL while they are read */
    struct kit_own **own;          /* those that the configuration does not have, by their names' hash; own.h */
    struct kit_own *keepers;       /* of routers' parts that were replaced, and may be in use */
    size_t own_chains, own_count;
    size_t asleep_count;            /* that it has laid down, which may ask for sets */
    json_t *defaults;               /* what the configuration says for all; NULL: nothing */
    char *defaults_text;            /* the same as {"defaults": …} */
    atomic_bool is_past;            /* one of a newer generation is in force */
    char *state_path;               /* NULL: there is no state file */
    uint32_t state_sync_ms;         /* 0: before the answer       */
    bool takes_state;               /* of sources; given.h        */
    bool has_more;                  /* of a source, at once       */
    kit_keyed_table_t wanted;       /* wanted.h                   */
    kit_settings_t *given_settings; /* of its last app: most say the same. Held; NULL: none yet */
    kit_app_t **pending;            /* new, and not in by_name yet; own.h                        */
    kit_apps_t *gathered;           /* the same of before those, when there are many; NULL: none */
    size_t pending_count;
    uint64_t published_at_us;        /* by ticks, which need not do it each time */
    struct weir_kit *started_before; /* of the same instance */
    weir_ticker_t *ticker;
    weir_instance_t *host; /* NULL before start */
};

/** Finds the instance of that name, or makes one; NULL: one of its own. Held once more. */
kit_instance_t *kit_instance_hold(const char *name);
/** Nulls the pointer. */
void kit_instance_release(kit_instance_t **slot);
/** The set of an app; NULL: there is none. Under either lock. */
weir_set_t *kit_instance_find_set(const kit_instance_t *instance, weir_span_t app);
/** Puts one there whose name is not. Under the lock of the sets. */
void kit_instance_add_set(kit_instance_t *instance, weir_set_t *set);
/** The set of an app, made if there is none; held once more. Under both locks. */
weir_set_t *kit_instance_set(kit_instance_t *instance, weir_span_t app);
/** So many sets may be added before long. Under both locks. */
void kit_instance_expect(kit_instance_t *instance, size_t count);
/** Lets go of it; kit_instance_sweep() frees what nobody holds then. Under the lock. */
void kit_instance_drop(kit_instance_t *instance, weir_set_t *set);
void kit_instance_sweep(kit_instance_t *instance);

/** kit.c: an app becomes what its configuration says, with the addresses that its names have now. Under the lock. */
void kit_app_put_in_force(struct weir_kit *kit, kit_app_t *app, uint64_t now_us);
/** kit.c: the app of that name; NULL: there is none. Once all have been read. */
kit_app_t *kit_app_find(const struct weir_kit *kit, weir_span_t app);
/** Whether the configuration itself says it: neither a source does, nor operators, nor its workers. */
bool kit_app_is_written(const struct weir_kit *kit, const kit_app_t *app);
/** Frees what an app of this configuration has; its set aside. */
void kit_app_free(const struct weir_kit *kit, kit_app_t *app);
/** config.c: reads the router's mapping. False after a complaint. */
bool kit_read(struct weir_kit *kit, const weir_config_t *config);

/** tick.c: what is done ten times a second. */
void kit_tick(void *of);
/** 64 random bits for what ticks and probes decide. Under the lock. */
uint64_t kit_dice(kit_instance_t *instance);
/** A request uses the set: ticks will visit it. Any thread. */
void kit_use(weir_set_t *set);
/** Nobody uses it, but something of it has changed: the next tick visits it, and others as long as there is something to do. */
void kit_look_at(weir_set_t *set);

#endif
