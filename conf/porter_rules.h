/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PORTER_RULES_H
#define WEIR_CONF_PORTER_RULES_H
/**
 * @file  What the porter (porter.h) does for a process that it does not trust: only what the configuration names, and only
 *        where the configuration's `user` cannot have put something else in its place.
 *
 * THREAD   The porter has one.
 */
#include <sys/types.h>

#include "weir_types.h"

typedef enum conf_right {
    CONF_RIGHT_READ,   /* the configuration, what it includes, keys and certificates, ticket-file, dh-file */
    CONF_RIGHT_APPEND, /* logs     */
    CONF_RIGHT_BIND,   /* a port of a `listen` */
    CONF_RIGHT_REMOVE, /* pid-file */
} conf_right_t;

enum { CONF_PROBLEM_BYTES = 256 };

/**
 * Reads the configuration and takes from it what it names, in place of what was read last; what is in use counts as well. Of
 * one that cannot be read it is the file itself. False with errno and a sentence if `user` could change it.
 */
bool conf_rules_load(const char *file, char problem[static CONF_PROBLEM_BYTES]);

/** What was read last is in use. */
void conf_rules_settle(void);

/** Forgets all of it. */
void conf_rules_forget(void);

/** Whether `path` is named for this; else a sentence. */
bool conf_rules_name(conf_right_t right, const char *path, char problem[static CONF_PROBLEM_BYTES]);

/** Whether a `listen` names the port. */
bool conf_rules_name_port(uint16_t port);

/**
 * Where a path leads to, without links: a file, or none yet in a folder that there is. False with errno and a sentence, also if
 * `user` could change anything on the way. Where `out_is_open` is given, the last folder may be one that it could change, which
 * is told, and no link is followed there; the rest is up to the caller.
 */
bool conf_rules_resolve(const char *path, char out_path[static 4096], bool *out_is_open,
                        char problem[static CONF_PROBLEM_BYTES]);

#endif
