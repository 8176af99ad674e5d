/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_NAME_QUERY_H
#define WEIR_WIRE_NAME_QUERY_H
/**
 * @file  Asks for addresses of names: /etc/hosts first, then name servers, by c-ares, any number of names at once; then
 * whatever else the system has (name_system.h), unless servers are configured.
 *
 * Servers, search domains and options are those of /etc/resolv.conf, unless servers are given. Both files are looked at before
 * each name, and read again when they have changed.
 *
 * OWNER    names.c.
 * THREAD   One, which may wait for files: it serves nobody.
 */
#include "lib/wire/back/name_table.h"

enum {
    WEIR_NAME_SERVERS_MAX = 8,     /* that may be configured                             */
    WEIR_NAME_TRY_MS = 1000,       /* for a server's answer, the first time; then double */
    WEIR_NAME_TRIES = 2,           /* of each server                                     */
    WEIR_NAME_DATAGRAM_MAX = 1232, /* bytes of an answer by UDP; longer ones come by TCP */
};

/** Whom to tell. */
typedef struct weir_name_query_hooks {
    void (*answer)(void *arg, void *asker, const weir_name_answer_t *answer); /* borrowed for the call */
    void (*hosts_changed)(void *arg);                                         /* what /etc/hosts has said may be wrong */
    void *arg;
} weir_name_query_hooks_t;

struct weir_name_queries;

struct weir_name_queries *weir_name_queries_create(const weir_name_query_hooks_t *hooks);

/** Answers nobody any more, frees it and nulls the pointer. */
void weir_name_queries_destroy(struct weir_name_queries **queries);

/**
 * From now on asks `servers`: "127.0.0.1:53,[::1]:5353", copied; NULL: the system's. What is under way is asked anew. Harmless
 * if nothing changes. system_threads: how many may ask the rest of the system; 0: it is not asked.
 */
void weir_name_queries_use(struct weir_name_queries *queries, const char *servers, unsigned system_threads);

/** Finds out `name` (borrowed). answer() follows, or comes at once. */
void weir_name_queries_ask(struct weir_name_queries *queries, const char *name, void *asker);

/** `asker` is not to be answered any more. */
void weir_name_queries_drop(struct weir_name_queries *queries, void *asker);

/** Waits until a server says something, `wake_fd` can be read, or `most_ms` (-1: any time) have passed; takes what has come. */
void weir_name_queries_turn(struct weir_name_queries *queries, int wake_fd, int most_ms);

/** Of c-ares, for `weir version`. */
const char *weir_name_queries_version(void);

#endif
