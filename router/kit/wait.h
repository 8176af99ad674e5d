/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_WAIT_H
#define WEIR_KIT_WAIT_H
/**
 * @file  Answers to changes that wait until something is so (`?wait=`). Ticks look.
 *
 * OWNER    The instance.
 * THREAD   Under the instance's lock.
 */
#include "instance.h"
#include "weir_admin.h"

enum { KIT_WAIT_MOST_MS = 600000 };

typedef struct kit_wait_what {
    const char *app, *id; /* id NULL: all its backends */
    bool is_effective;    /* the document of the app: with all settings */
} kit_wait_what_t;

/**
 * *held is answered with this status when nothing is in flight any more there, or with `not-idle` behind ten minutes; nulled.
 * Where `text` says something, the document of the backend or the app is written anew then.
 */
void kit_wait_idle(kit_instance_t *instance, weir_admin_held_t **held, const kit_wait_what_t *what, uint16_t status,
                   const char *text);
/** *held is answered when no thread can see any more what was before; nulled. */
void kit_wait_grace(weir_admin_held_t **held, uint16_t status, const char *text);
/** Ten times a second. */
void kit_waits_tick(kit_instance_t *instance, uint64_t now_us);
/** Those that still wait are answered. */
void kit_waits_end(kit_instance_t *instance);

#endif
