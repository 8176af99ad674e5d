/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SOCK_DIAL_H
#define WEIR_WIRE_SOCK_DIAL_H
/**
 * @file  Connections of threads that serve nobody and may wait, with whoever is not a backend: OCSP responders, receivers of
 * traces. They can be given up at any time.
 */
#include <stdint.h>

/**
 * Connects with the first address of `host` that takes the connection. Waits at most `timeout_ms` for all of it, and no longer
 * when `give_up_fd` (an eventfd, borrowed; -1: none) has something to read: the name is asked for on a thread of its own, which
 * is left to itself then. Each address has its share of the time that is left, so that one which says nothing leaves some for
 * the others. A non-blocking socket, closed on exec; -1 with errno on failure: that of the last address; ENOENT, there is no
 * such name; ETIMEDOUT; ECANCELED, it was given up.
 */
int weir_dial(const char *host, const char *port, int give_up_fd, uint32_t timeout_ms);

#endif
