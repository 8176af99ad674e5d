/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_GENERATION_H
#define WEIR_WIRE_GENERATION_H
/**
 * @file  A configuration in use. Each reload makes another; requests finish with the one they began with.
 *
 * A generation has one context a loop: libh2o's, and how many on that loop still hold it. The newest is held by the loop
 * itself.
 *
 *   created on every loop ─► newest ─► retired ─last holder gone, on every loop─► unused ─► disposed of
 *
 * OWNER    The server: it makes generations and disposes of them.
 * THREAD   A context's functions: its loop's. A generation's: the main loop's, but for what is said to be atomic.
 */
#include <stdatomic.h>

#include "lib/wire/loop/loop.h"

typedef struct weir_context weir_context_t;

typedef struct weir_generation {
    const weir_server_settings_t *settings; /* theirs who made them, until the generation has been disposed of */
    weir_context_t *_Atomic *contexts;      /* one a loop, by its index; set by that loop */
    unsigned context_count;
    _Atomic unsigned loops_left; /* that still hold it */
    weir_loop_t *home;           /* where `unused` is posted when none is left */
    weir_letter_t unused;
} weir_generation_t;

struct weir_context {
    h2o_context_t own;  /* first: its address finds the rest; unused where an application has its own */
    h2o_context_t *h2o; /* that, or the application's                                                 */
    weir_loop_t *loop;
    weir_generation_t *generation; /* NULL: an application's, who says when it ends */
    const weir_server_settings_t *settings;
    weir_list_t link; /* in loop->contexts */
    uint32_t holders; /* the loop if it is the newest, connections on their way to a front, requests, exchanges */
};

/** The context of ours that libh2o's lies in; not for an application's. */
static inline weir_context_t *weir_context_of(h2o_context_t *context)
{
    return (weir_context_t *)(void *)context;
}

/** The loop a libh2o context of ours belongs to. */
static inline weir_loop_t *weir_loop_of(h2o_context_t *context)
{
    return weir_context_of(context)->loop;
}

/** Makes a zeroed generation one for `count` loops; its contexts are still to be made. */
void weir_generation_init(weir_generation_t *generation, const weir_server_settings_t *settings, unsigned count);

/** Frees what it holds. Its contexts must have been disposed of, or never made. The settings are not touched. */
void weir_generation_finish(weir_generation_t *generation);

/**
 * Makes the context of loop number `index`, held once. Between events, one loop after the other: libh2o's handlers note their
 * contexts without a lock.
 */
void weir_context_create(weir_generation_t *generation, weir_loop_t *loop, unsigned index);

/**
 * Disposes of it. Between events, in the reverse order of creation. Nobody may hold it, unless the loop will never run again.
 */
void weir_context_dispose(weir_generation_t *generation, unsigned index);

/** Holds it until weir_context_release() (lib/walk/loop.h). Returns it. */
static inline weir_context_t *weir_context_hold(weir_context_t *context)
{
    context->holders++;
    return context;
}

#endif
