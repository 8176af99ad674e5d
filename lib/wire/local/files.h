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

/** As the directives file.* say. */
typedef struct weir_files_options {
    const char *const *index; /* names, NULL at the end; borrowed, as long as the globalconf */
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
