/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_CREW_H
#define WEIR_WIRE_CREW_H
/**
 * @file  The threads of a running proxy and what the main one knows of them: between server.c (start, drain, end),
 *        reload.c and upgrade.c.
 *
 * THREAD   The main one, unless a member says otherwise.
 */
#include "lib/wire/loop/generation.h"
#include "lib/wire/loop/keeper.h"
#include "lib/wire/door/listen.h"
#include "lib/wire/server/server.h"

struct crew;

/** One thread. */
typedef struct worker {
    struct crew *crew;
    weir_loop_t *loop;
    pthread_t thread;
    weir_list_t listeners; /* its own */
    unsigned index;
    bool is_ready;
    size_t exchanges_left;          /* when its loop had stopped: a router still owes them an answer */
    weir_letter_t drain, cut, stop; /* from the main thread */
    weir_letter_t emptied;          /* to it                */
    weir_timer_t check;
    unsigned checks_left; /* after a cut; 0: none yet */
} worker_t;

/** Visits all loops, one after the other. Embedded in what it is about; no other may be under way for that. */
typedef struct round {
    weir_letter_t letter;
    struct crew *crew;
    unsigned left; /* loops still to be visited */
    bool is_backwards;
    void (*visit)(struct round *round, worker_t *worker); /* on its thread, between events */
    void (*done)(struct round *round);                    /* on the main thread            */
} round_t;

/** A generation, and what it takes to bring it in and to get rid of it. */
typedef struct generation {
    weir_generation_t super;
    weir_list_t link; /* in crew->generations; the newest is the last */
    struct crew *crew;
    weir_bound_t *bound;           /* of each listen; none if the workers have such listeners already */
    struct sockaddr_storage *kept; /* addresses of older sockets that serve for one of these */
    size_t kept_count;
    round_t round;
    weir_timer_t settling;
    weir_job_t job;
} generation_t;

typedef struct crew {
    weir_server_t server;
    const weir_server_hooks_t *hooks;
    worker_t *workers;
    unsigned count;
    pthread_mutex_t lock; /* workers' is_ready */
    pthread_cond_t is_ready;
    weir_sock_t signals;
    weir_timer_t deadline;
    bool is_draining, is_cut, is_ending;
    unsigned emptied;        /* workers that have nothing left to do */
    unsigned rounds;         /* under way                            */
    weir_list_t generations; /* that have contexts                   */
    generation_t *newest;
    weir_keeper_t keeper;
    struct {
        bool is_busy;     /* from HUP until all loops use what came of it */
        bool is_again;    /* another HUP has come meanwhile               */
        bool is_building; /* the keeper is at it                          */
        bool must_drain;  /* TERM has come while loops were being changed */
        bool must_cut;
        generation_t *fresh;
        weir_job_t build;
        weir_letter_t built;
    } reload;
    struct {
        bool is_busy;              /* from USR2 until it is known what came of it       */
        bool is_wanted;            /* USR2 has come during a reload                     */
        bool is_whole;             /* every socket could be copied                      */
        atomic_bool has_successor; /* it serves: what we listen on is not ours to remove. Any thread */
        weir_handed_t *sockets;
        size_t count;
        round_t round;
        weir_job_t job;
        weir_letter_t over;
    } upgrade;
} crew_t;

/* ---- server.c ---- */

/** Starts to drain, or cuts what is left; harmless the second time. */
void crew_drain(crew_t *crew);
void crew_cut(crew_t *crew);
/** For the globalconf of every generation. */
extern const h2o_protocol_callbacks_t crew_protocol_callbacks;
/** Ends the loops if there is nothing more to be waited for. */
void crew_end_if_idle(crew_t *crew);

/* ---- crew.c ---- */

/** Starts a round: `visit` on every loop, then `done`. */
void round_start(round_t *round, crew_t *crew, bool is_backwards, void (*visit)(round_t *round, worker_t *worker),
                 void (*done)(round_t *round));

/** The listen of `settings` (or NULL) on the address, or NULL. */
const weir_listen_t *crew_find_listen(const weir_server_settings_t *settings, const struct sockaddr_storage *address);

/**
 * Makes a generation with its listeners bound, all or none; an address of `before` (or NULL) keeps its sockets, and one that
 * lies within an address of the new generation's goes on for that. NULL after a complaint; the settings are then the caller's
 * again. Any thread, as long as `before` stays.
 */
generation_t *generation_create(crew_t *crew, const weir_server_settings_t *settings, const generation_t *before);

/** Makes it the worker's newest, and its listeners the worker's. On the worker's thread, between events. */
void generation_begin(generation_t *generation, worker_t *worker);

/** Frees it, with the sockets that no worker has taken, and nulls the pointer. Its contexts are gone; the settings stay. */
void generation_destroy(generation_t **generation);

/* ---- reload.c ---- */

/** Sees to it that the generation is discarded of when its last holder is gone. Once the main loop is there. */
void reload_watch(generation_t *generation);

/** On HUP. */
void reload_begin(crew_t *crew);

/* ---- upgrade.c ---- */

/** On USR2. */
void upgrade_begin(crew_t *crew);

#endif
