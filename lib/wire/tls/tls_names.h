/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_NAMES_H
#define WEIR_WIRE_TLS_NAMES_H
/**
 * @file  Certificates by name: a hash of host names in lower case. How long a search takes does not depend on how many there
 * are.
 *
 * OWNER    Whoever embeds it; it holds its certificates. Zeroed, it is empty.
 * THREAD   One at a time; a table that is not changed may be searched by all.
 */
#include "lib/base/list.h"
#include "lib/wire/tls/tls_cert.h"

enum { WEIR_TLS_NAME_BYTES = 253 }; /* RFC 1035 §3.1, written with dots */

typedef struct weir_tls_name {
    struct weir_tls_name *next; /* in its bucket */
    weir_list_t link;           /* in `names`, the one used last at the end */
    weir_tls_cert_t *cert;
    uint64_t checked_at_us; /* the directory's */
    uint64_t version;       /* the directory's */
    uint64_t hash;
    size_t len;
    char text[];
} weir_tls_name_t;

typedef struct weir_tls_names {
    weir_tls_name_t **buckets; /* a power of two of them */
    size_t bucket_count, count;
    weir_list_t names;
} weir_tls_names_t;

/**
 * Writes `name` in lower case. False if it is not fit to be a host's name, and so not fit to be a file's: anything but letters,
 * digits, '-', '_' and single dots between them, or too long. "*." and "_." may stand at the beginning.
 */
bool weir_tls_name_clean(weir_span_t name, char out[static WEIR_TLS_NAME_BYTES + 1], size_t *out_len);

/** "*.rest" for "label.rest": the label before the first dot is any. Empty if there is no dot. */
weir_span_t weir_tls_name_wildcard(weir_span_t name, char out[static WEIR_TLS_NAME_BYTES + 1]);

/** The entry of a clean name, or NULL. */
weir_tls_name_t *weir_tls_names_find(const weir_tls_names_t *names, weir_span_t name);

/** Adds a clean name that is not there yet. `cert` is held by the table from now on: it takes over the caller's hold. */
weir_tls_name_t *weir_tls_names_add(weir_tls_names_t *names, weir_span_t name, weir_tls_cert_t *cert);

/** Removes an entry and lets go of its certificate. */
void weir_tls_names_remove(weir_tls_names_t *names, weir_tls_name_t *entry);

/** Empties it and frees its memory. */
void weir_tls_names_finish(weir_tls_names_t *names);

#endif
