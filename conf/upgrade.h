/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_UPGRADE_H
#define WEIR_CONF_UPGRADE_H
/**
 * @file  One process of this program starts another, its successor, with its listening sockets; the program may be a newer one.
 *
 *   predecessor ─ SERVER_STARTER_PORT, WEIR_UPGRADE ─► successor: loads, binds, starts ─ a byte ─► predecessor: drains
 *
 * The successor is started by the name that the predecessor was started by, with its arguments, in its directory, with its
 * standard input, output and (first) standard error. A successor that ends, or does not serve within a minute, changes nothing.
 *
 * OWNER    The process.
 * THREAD   The main one, unless it says otherwise.
 */
#include "lib/wire/server/server.h"

/** A listening socket for the successor. */
typedef struct conf_handed {
    int fd;
    bool is_foreign; /* the path is not ours: inherited.h */
} conf_handed_t;

/** Takes note of how this program was started. First of all: directory and environment are what they were. */
void conf_upgrade_know(char **argv);

/** Looks whether another of ours has started this process, and takes that out of the environment. Before there are children. */
void conf_upgrade_read(void);

/** Whether one has, and waits to be told. */
bool conf_upgrade_is_awaited(void);

/** For a successor: it serves. False if its predecessor does not wait any more: it should end. True if there is none. */
bool conf_upgrade_tell(void);

/**
 * Starts a successor with these sockets and `errors_fd` as its standard error (all borrowed), and waits until it serves.
 * False: it has been said why. Any thread.
 */
bool conf_upgrade(const weir_handed_t *sockets, size_t count, int errors_fd);

/**
 * Only starts one. `ready_fd` is where it shall tell that it serves. Returns 0, or what errno would be. Here or in the porter.
 */
int conf_upgrade_start(const conf_handed_t *sockets, size_t count, int ready_fd, int errors_fd, pid_t *out_pid);

/** Waits for the end of one that has ended, or is killed now. Returns its status as waitpid(2) does. */
int conf_upgrade_reap(pid_t pid, bool must_kill);

/** Has conf_upgrade() return false as soon as it can. */
void conf_upgrade_give_up(void);

/** The process that has been started last. */
pid_t conf_upgrade_successor(void);

/** Forgets what is known. */
void conf_upgrade_forget(void);

#endif
