/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PORTER_H
#define WEIR_CONF_PORTER_H
/**
 * @file  The porter: a process that keeps the rights which the proxy gives up for `user`, and opens doors for it.
 *
 *   proxy ─ a request, with descriptors ─► porter: named by the configuration? out of `user`'s reach? ─ the descriptor ─► proxy
 *
 * It reads files, opens logs and binds ports that the configuration names (porter_rules.h), removes the pid file, and starts a
 * successor. It reads no byte of a client's or a backend's, has one thread, and ends with the proxy. See decision 16.
 *
 * OWNER    The process.
 * THREAD   begin, use and end: the main one. The rest: any.
 */
#include "conf/upgrade.h"

/** Starts it, if the process has rights that it may give up; `file` is the configuration. Before there are threads. */
void conf_porter_begin(const char *file);

/** Rights have been given up: from now on it is asked (lib/base/rights.h). */
void conf_porter_use(void);

/** It is not needed, or not any more. */
void conf_porter_end(void);

/** The configuration is read anew, and the porter reads it, too. Whether the last one came into use. Harmless without one. */
void conf_porter_read_again(bool is_last_in_use);

/** Whether there is one that is asked. */
bool conf_porter_is_used(void);

/** Has it start a successor. Returns 0, or what errno would be. */
int conf_porter_start_successor(const conf_handed_t *sockets, size_t count, int ready_fd, pid_t *out_pid);

/** After a successor that has ended, or must (it is killed): its status as waitpid(2) tells it. */
int conf_porter_end_successor(bool must_kill);

#endif
