/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_NAME_SYSTEM_H
#define WEIR_WIRE_NAME_SYSTEM_H
/**
 * @file  Names by what else the system knows them by: modules of /etc/nsswitch.conf such as mdns, ldap, wins, myhostname.
 *
 * Only getaddrinfo(3) asks those, and it blocks. So threads do it, made as they are wanted. One that hangs is left behind when
 * all ends: nobody waits for it.
 *
 * OWNER    name_query.c.
 * THREAD   Its one.
 */
#include <netdb.h>
#include <stdbool.h>

struct weir_name_system;

/** NULL: there are too few descriptors. */
struct weir_name_system *weir_name_system_create(void);

/** Answers nobody any more, and nulls the pointer. Harmless on NULL. */
void weir_name_system_destroy(struct weir_name_system **system);

/** Whether /etc/nsswitch.conf names modules for hosts beside `files` and `dns`. Reads it when it has changed. */
bool weir_name_system_is_wanted(struct weir_name_system *system);

/** Finds out `name` (copied), with at most `most_threads` threads, 1 or more. weir_name_system_take() hands the answer out. */
void weir_name_system_ask(struct weir_name_system *system, const char *name, void *asker, unsigned most_threads);

/** True: it was still to be asked, and will not be. False: it is being asked for, and weir_name_system_take() hands it out. */
bool weir_name_system_drop(struct weir_name_system *system, void *asker);

/** Can be read when there are answers to be taken. */
int weir_name_system_fd(const struct weir_name_system *system);

/**
 * One answer: its asker, or NULL if there is none. *out_found: what freeaddrinfo(3) frees, or NULL; *out_error: what
 * getaddrinfo(3) has returned.
 */
void *weir_name_system_take(struct weir_name_system *system, struct addrinfo **out_found, int *out_error);

/** What nsswitch.conf, which is `text`, says: for tests. */
bool weir_name_system_has_modules(const char *text);

#endif
