/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_ADMIN_H
#define WEIR_ROUTER_ADMIN_H
/**
 * @file  The instances that are in force, by name, for the admin endpoint.
 *
 * While a reload lets the one before serve on, both are known, and the newest is asked. A call holds the lock: nobody stops an
 * instance that answers.
 *
 * THREAD   Any.
 */
#include "lib/base/list.h"
#include "weir_host.h"

/** Embedded in a module. Zeroed, it is not known. */
typedef struct weir_administered {
    weir_list_t link;
    const char *name; /* of its configuration, or else the instance's: "HOST PATH" */
    const weir_instance_t *instance;
    const weir_router_t *router;
    weir_router_admin_t *admin; /* NULL: it cannot be asked */
    weir_shared_t *shared;
} weir_administered_t;

/** It is in force. All are borrowed until it leaves; `name` NULL: the instance's. */
void weir_administered_enter(weir_administered_t *one, const char *name, const weir_instance_t *instance,
                             const weir_router_t *router, weir_router_admin_t *admin, weir_shared_t *shared);
/** It stops. Harmless if it is not known. */
void weir_administered_leave(weir_administered_t *one);

/** GET /v1/routers: answers with all of them. */
void weir_administered_list(weir_admin_call_t *call);
/** Has the one of this name answer; base NULL: the only one that can. Answers with a problem where there is none. */
void weir_administered_ask(weir_span_t name, weir_admin_call_t *call);

/** How weir_administered_each() asks: `begin` makes a call of its own for the router of that name, `end` takes the answer. */
typedef struct weir_administered_asking {
    weir_admin_call_t *(*begin)(void *context);
    void (*end)(void *context, const char *name, weir_admin_call_t *call, bool has_answered);
    void *context;
} weir_administered_asking_t;

/** Asks each that can be asked, in the order of weir_administered_list(). */
void weir_administered_each(const weir_administered_asking_t *asking);

#endif
