/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_LOCAL_FILES_PRIVATE_H
#define WEIR_WIRE_LOCAL_FILES_PRIVATE_H
/**
 * @file  A file that was found, on its way to a client. Between files.c (which finds it), files_reply.c (which sends it) and
 * files_listing.c (which lists a directory).
 */
#include <sys/stat.h>

#include "lib/wire/local/files.h"

typedef enum weir_file_found {
    WEIR_FILE_OPEN,
    WEIR_FILE_MISSING,
    WEIR_FILE_DIRECTORY,
    WEIR_FILE_FORBIDDEN, /* no permission, or no regular file */
    WEIR_FILE_BUSY,      /* no descriptors left, or somebody holds a lease on it */
} weir_file_found_t;

/** In the request's pool; its descriptor is closed with that. */
typedef struct weir_file {
    int fd; /* -1: closed */
    struct stat stat;
    const char *name;     /* as it was opened; for lines on standard error */
    const char *encoding; /* what it lies there in and is sent in; NULL: as it is */
    bool is_gunzipped;    /* it lies there compressed, and is not sent so */
    bool has_etag;
    bool has_vary; /* another client may get another coding of it */
} weir_file_t;

/** Answers req, whose method may be any, with the file. */
void weir_file_reply(h2o_req_t *req, weir_file_t *file, const h2o_mimemap_type_t *type);

/** Answers req with the names in the directory `name`. False, and nothing is sent, if it cannot be read. */
bool weir_files_list(h2o_req_t *req, const char *name);

/** Answers a method other than GET and HEAD with 405. False if it is one of these. */
bool weir_files_refuse_method(h2o_req_t *req);

#endif
