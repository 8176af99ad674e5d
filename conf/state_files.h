/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_STATE_FILES_H
#define WEIR_CONF_STATE_FILES_H
/**
 * @file  A source of state: a directory with a file for each app, NAME.yaml, NAME.yml or NAME.json, which holds what the app's
 * mapping in `apps` would. It is watched with inotify, and looked at twice a minute in any case; each second, while it cannot
 * be watched.
 *
 *   a thread of its own: directory ─ what has changed ─ read ─ news ─letter─► steward: weir_state_put() ─► routers
 *
 * A file is read when it has been closed, or has come by a name of its own: write it beside, and rename it. One that cannot be
 * read, or is refused, changes nothing. Where more than a hundred apps and a fifth of all would go within ten seconds, they
 * stay, and so they do when the directory is gone: conf_state_files_accept() lets them go.
 *
 * THREAD   The main one, but where another is named.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/state.h"
#include "yoml.h"

enum { CONF_STATE_FILE_BYTES = 1024 * 1024, CONF_STATE_FILES_MOST = 100000 };

/** A file, as it was read. */
typedef struct conf_state_read {
    yoml_t *node; /* NULL: it could not be read */
    char *json;   /* likewise                   */
    char problem[WEIR_STATE_WHY_BYTES];
} conf_state_read_t;

/** Reads one. False: `problem` says why, with its place. To be given back by conf_state_read_free() either way. */
bool conf_state_file_read(const char *path, conf_state_read_t *out);
void conf_state_read_free(conf_state_read_t *read);
/** The app that a file of this name is of, written into `app`; false: it is none. */
bool conf_state_file_app(const char *name, char app[WEIR_STATE_NAME_MOST + 1]);

typedef struct conf_state_files conf_state_files_t;

/**
 * Reads the directory, and puts what is there at once; then watches it. What `before` had (NULL: nobody) and is not there any
 * more is put as gone, and `before` ends; nulls that.
 */
conf_state_files_t *conf_state_files_start(const char *directory, conf_state_files_t **before);
/** Ends it, and forgets nothing of what was put. Nulls; harmless on NULL. */
void conf_state_files_stop(conf_state_files_t **slot);
/** The same, and all that it has put is gone. */
void conf_state_files_leave(conf_state_files_t **slot);
/** What is held back is let go. False: nothing is. Any thread. */
bool conf_state_files_accept(conf_state_files_t *files);

typedef struct conf_state_files_facts {
    const char *directory;
    size_t files, held_back;
    uint64_t read_at_ms;                /* on the wall's clock: when the directory was looked at last */
    uint64_t changed_at_ms;             /* when something was put last; 0: never                      */
    char problem[WEIR_STATE_WHY_BYTES]; /* of the directory; empty: none                              */
} conf_state_files_facts_t;

/** Any thread. */
void conf_state_files_tell(conf_state_files_t *files, conf_state_files_facts_t *out);

#endif
