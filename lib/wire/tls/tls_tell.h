/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_TELL_H
#define WEIR_WIRE_TLS_TELL_H
/**
 * @file  What operators are told of the certificates of an address.
 *
 * THREAD   Any, as long as the address is held. Those of a directory are read for it: a thread that nobody waits for.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_TLS_TOLD_NAMES = 100 };

struct weir_tls;

/** One; borrowed for the call. */
typedef struct weir_tls_told {
    const char *file;
    const char *names[WEIR_TLS_TOLD_NAMES]; /* of subjectAltName: hosts and addresses; further ones are left out */
    size_t name_count;
    int64_t ends_at_s; /* since 1970 */
    bool has_staple;   /* an answer of its authority that holds now is shown with it */
} weir_tls_told_t;

/** Each certificate that is named in the configuration, once a file. None of an application's. */
void weir_tls_tell(const struct weir_tls *tls, void (*each)(const weir_tls_told_t *told, void *context), void *context);

/** Who is told of a directory's. */
typedef struct weir_tls_telling {
    void (*each)(const weir_tls_told_t *told, void *context);
    bool (*goes_on)(void *context); /* asked before a file is read: whether it is to be */
    void *context;
} weir_tls_telling_t;

/**
 * Each certificate of its directory, by name, if there is one: of the `most` that are found first. One without a key beside it
 * is none. Returns how many it did not tell of: further ones, those that cannot be read, and 1 for a directory that cannot be.
 */
size_t weir_tls_tell_directory(const struct weir_tls *tls, size_t most, const weir_tls_telling_t *telling);

struct weir_tls_cert;
/** The same of one. */
void weir_tls_cert_tell(struct weir_tls_cert *cert, void (*each)(const weir_tls_told_t *told, void *context), void *context);

#endif
