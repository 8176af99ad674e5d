/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_FILES_H
#define WEIR_WIRE_LOCAL_FILES_H
/**
 * @file  Files as responses: what stands behind `file.dir` and `file.file`.
 *
 * Only regular files are answered: what else lies below a root (a named pipe, a socket, a device) is never opened. A name
 * with a NUL or with ".." names nothing. What is not there is left to the path's next handler. GET and HEAD with conditions
 * (RFC 9110 §13), ranges (§14, byte_ranges.h) and files that lie there compressed. A file that turns out to be shorter than
 * it was when its answer began ends the response, which the client sees to be broken.
 *
 * Reading blocks as long as the disk takes; what was read lately is in the kernel's memory. One response holds at most 32 KiB.
 *
 * THREAD   Registration: where the configuration is loaded. Handlers: the request's loop.
 */
#include <stdbool.h>

#include <h2o.h>

#include "weir_types.h"

/** Files of one kind that are run in place of being sent: what stands behind `file.custom-handler`. */
typedef struct weir_files_script {
    const struct weir_files_script *next;
    const char *extension; /* ".php"; letters of either case are equal */
    const void *plan;      /* for `run`                                 */
} weir_files_script_t;

/** All kinds of one path. Filled before it serves. */
typedef struct weir_files_scripts {
    const weir_files_script_t *first; /* NULL: none */
    /** Answers req by the script `file`, which the path means up to the end of `name`; `path_info` is what follows there. */
    int (*run)(const void *plan, h2o_req_t *req, weir_span_t file, weir_span_t name, weir_span_t path_info);
} weir_files_scripts_t;

/** As the directives file.* say. */
typedef struct weir_files_options {
    const char *const *index;            /* names, NULL at the end; borrowed, as long as the globalconf */
    const weir_files_scripts_t *scripts; /* NULL: none; borrowed likewise */
    bool has_etag;
    bool has_compressed; /* NAME.br or NAME.gz for NAME, if the client takes that coding */
    bool has_gunzip;     /* NAME.gz for NAME, decompressed, for other clients */
    bool has_listing;    /* of a directory without an index */
} weir_files_options_t;

/** Has `path` serve what lies below the directory `root`. Holds `mimemap`. */
void weir_files_register_dir(h2o_pathconf_t *path, const char *root, const weir_files_options_t *options,
                             h2o_mimemap_t *mimemap);

/** Has `path` serve the file `name` whatever is asked for below it. Holds `mimemap`. */
void weir_files_register_file(h2o_pathconf_t *path, const char *name, const weir_files_options_t *options,
                              h2o_mimemap_t *mimemap);

#endif
