/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_WORKERS_H
#define WEIR_KIT_WORKERS_H
/**
 * @file  Workers among an app's members: backends that have dialled in. They are not configured: whoever is there is a member,
 * known by its id, with as many slots as its connections have at present.
 *
 *   judge ─ may it register, for this app, with these domains ─► the proxy ─► changed ─► kit_app_put_in_force()
 *
 * An app, or a domain, that nobody else has may come with a worker, if its endpoint needs no proof. It stays until the next
 * configuration that finds no worker of it.
 *
 * THREAD   Under the instance's lock, but for weir_kit_worker() and weir_kit_workers(): the thread of ticks.
 */
#include "instance.h"
#include "weir_worker.h"

/** A domain that a worker has claimed, and nobody had. */
typedef struct kit_claimed {
    struct kit_claimed *next;
    char *app;
    char entry[];
} kit_claimed_t;

/** Behind `wanted` (*count of them), which moves, come the app's workers. Theirs are to be freed by kit_wanted_free(). */
kit_wanted_t *kit_workers_add(const kit_app_t *app, kit_wanted_t *wanted, size_t *count);
/** Whether the app has any. Any thread. */
bool kit_workers_has(const char *app);
/** A configuration is put in force: apps and domains of workers that are there come with it. */
void kit_workers_begin(struct weir_kit *kit);
/** Whether the entry is this app's because one of its workers has claimed it. */
bool kit_workers_have_claimed(const kit_instance_t *instance, const char *entry, const char *app);
/** The entry is nobody's: the app whose worker has claimed it has it again. */
void kit_workers_claim_again(struct weir_kit *kit, const char *entry);
/** Nobody else says anything of the app any more: it is its workers', if it has any that may have it. False: it has none. */
bool kit_workers_take_over(struct weir_kit *kit, const char *app, uint64_t now_us);
/** The instance ends. */
void kit_workers_free(kit_instance_t *instance);

#endif
