/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_STATE_H
#define WEIR_ROUTER_STATE_H
/**
 * @file  What sources say of apps, and the routers in force that take it.
 *
 *   source ─ weir_state_put() ─► each router: weir_router_state ─┬─ it holds
 *                                                               └─ refused: what held before still does
 *
 * What was said last and what was taken last are both kept: a router that comes with a reload is told of the one, and where it
 * refuses that, of the other.
 *
 * OWNER    The process.
 * THREAD   Any, one at a time: a call holds the lock, and nobody stops a router that answers.
 */
#include "lib/base/list.h"
#include "router/weir_state.h"

enum { WEIR_STATE_WHY_BYTES = 512, WEIR_STATE_NAME_MOST = 255 };

/** Embedded in a module. Zeroed, it is not known. */
typedef struct weir_state_host {
    weir_list_t link;
    const char *name, *router; /* "HOST PATH", or as its configuration says; and the router's */
    weir_router_state_t *state;
    weir_shared_t *shared;
} weir_state_host_t;

/** It is in force, as `what` says, and told of all apps. Borrowed until it leaves. Nothing if it takes no state. */
void weir_state_host_enter(weir_state_host_t *one, const weir_state_host_t *what);
/** It stops. Harmless if it is not known. */
void weir_state_host_leave(weir_state_host_t *one);

/** What a source says of an app; all is borrowed. */
typedef struct weir_state_said {
    const char *app, *origin;
    const char *json;          /* an object; NULL: it knows the app no more                          */
    const weir_config_t *node; /* the same, with its places, if it has any; NULL: `json` is read     */
    bool has_more;             /* others follow at once, and then one that has not more */
    bool adds_name;            /* the app's name stands behind `origin`                    */
    const char *problem;       /* what the source itself has found wrong: nobody is asked; NULL: nothing */
} weir_state_said_t;

/**
 * Takes it. False: it is refused, and why stands in `why`; what held before still does. True, and `why` is not empty: it holds
 * but for that. Apps with such trouble are offered again whenever another one has changed.
 */
bool weir_state_put(const weir_state_said_t *said, char why[WEIR_STATE_WHY_BYTES]);

/** Whether something of what was said of it last does not hold, and then why: another one may have given way meanwhile. */
bool weir_state_problem(const char *app, char why[WEIR_STATE_WHY_BYTES]);

/** Whether it would be taken, and if not, why. Nothing is changed, and nothing of it is kept. */
bool weir_state_would(const weir_state_said_t *said, char why[WEIR_STATE_WHY_BYTES]);

/** An app of sources, for whoever looks on. */
typedef struct weir_state_facts {
    const char *app, *origin;
    const char *problem; /* NULL: all that was said last holds                              */
    bool is_refused;     /* nothing of it does, for `problem`; else all but what that names */
    bool holds;          /* something that was said of it, then or before, does             */
} weir_state_facts_t;

/** Visits all; what is shown is borrowed for the call, which may not come back here. */
void weir_state_each(void (*visit)(const weir_state_facts_t *facts, void *context), void *context);

typedef struct weir_state_counts {
    size_t apps, refused, conflicts; /* conflicts: that hold but for something */
    uint64_t changes, refusals;      /* since the process began */
} weir_state_counts_t;

weir_state_counts_t weir_state_counts(void);

/** Forgets all. No router is in force. */
void weir_state_forget(void);

#endif
