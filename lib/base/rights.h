/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BASE_RIGHTS_H
#define WEIR_BASE_RIGHTS_H
/**
 * @file  Files and ports for which the process has given its rights up.
 *
 * Whoever opens such asks here: the process itself tries, and where it is not allowed (EACCES, EPERM), somebody is asked who
 * has kept the rights, if there is one.
 *
 * THREAD   Any. Waits for the one who is asked, as open(2) may wait for a disk.
 */
#include <sys/socket.h>

#include "weir_types.h"

/** How somebody else is asked. Each returns a descriptor that is closed on exec (bind: 0), or -1 with errno. */
typedef struct weir_rights {
    int (*read)(const char *path);
    int (*append)(const char *path);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t len);
    int (*remove)(const char *path);
} weir_rights_t;

/** Names who is asked (borrowed); NULL: nobody. */
void weir_rights_by(const weir_rights_t *rights);

/** open(2) for reading. */
int weir_rights_read(const char *path);

/**
 * Asks for a file that lines are added to, made if need be, after errno has said that the process may not. -1, and errno as it
 * was, if there is nobody.
 */
int weir_rights_append(const char *path);

/** bind(2). */
int weir_rights_bind(int fd, const struct sockaddr *address, socklen_t len);

/** unlink(2). */
int weir_rights_remove(const char *path);

#endif
