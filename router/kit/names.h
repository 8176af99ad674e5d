/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_NAMES_H
#define WEIR_KIT_NAMES_H
/**
 * @file  Names among an app's backends ("dns:web.internal:8080"): each address of a name is a member of its own, known by that
 * address. They are asked for again when their time is up, and what has changed is put in force as by a reload.
 *
 * A name that cannot be resolved any more keeps the addresses that it had: they are as good as ever, or their health tells.
 *
 * OWNER    Names are the instance's, so that a reload need not ask again; a configuration holds those that it names.
 * THREAD   Under the instance's lock.
 */
#include "due.h"
#include "set.h"

struct kit_instance;
struct kit_app;

typedef struct kit_name {
    kit_due_t due; /* first */
    struct kit_name *next;
    struct kit_instance *instance;
    struct weir_kit *asked_by; /* while a question is under way; NULL: none is */
    weir_endpoint_t *endpoint; /* which names it */
    char *host;                /* in lower case */
    char **addresses;          /* as text, sorted */
    size_t count;
    uint32_t holders;
    bool is_known;  /* there was an answer              */
    bool is_failed; /* the last one; it has been told    */
} kit_name_t;

/** The name of that host, made if there is none; held once more. Its first question is due at once. */
kit_name_t *kit_name_hold(struct kit_instance *instance, const char *host, uint64_t now_us);
void kit_name_release(kit_name_t *name);
/** Asks what is due. */
void kit_names_tick(struct kit_instance *instance, uint64_t now_us);
/** Questions of this configuration have ended without an answer. */
void kit_names_end(struct weir_kit *kit);

/** Whether the configuration has names among its backends. */
bool kit_names_has(const struct kit_app *app);
/**
 * What an app wants, with the addresses of its names in place of these, and its workers besides. *out_count of them; to be
 * given back by kit_names_free(). *out_is_waiting: a name has not been answered yet.
 */
kit_wanted_t *kit_names_expand(const struct kit_app *app, size_t *out_count, bool *out_is_waiting);
void kit_names_free(kit_wanted_t *expanded, size_t count);

#endif
