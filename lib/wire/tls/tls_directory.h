/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_DIRECTORY_H
#define WEIR_WIRE_TLS_DIRECTORY_H
/**
 * @file  A directory of certificates, NAME.crt and NAME.key for each name: opened when a client asks for the name, and kept for
 * a while.
 *
 * For "a.shop.example" it looks for a.shop.example.crt, then for *.shop.example.crt and _.shop.example.crt. How many files
 * there are does not matter. The WEIR_TLS_DIRECTORY_KEPT certificates used last are kept; whether the files of one have changed
 * is looked at again after 10 seconds. A pair that cannot be used is as good as none, and said in the log at most once a
 * second.
 *
 * NAME.ocsp, if it is there, holds what the authority says of the certificate, and is shown with it. No responder is asked:
 * there may be too many names. One that cannot be used is said in the log; what the one before it said is shown as long as that
 * is true.
 *
 * OWNER    A weir_tls_t.
 * THREAD   Any. A handshake waits for the disk only for the files of the name it asks for; no lock is held meanwhile.
 */
#include "lib/wire/tls/tls_names.h"
#include "lib/wire/tls/tls_tell.h"

enum { WEIR_TLS_DIRECTORY_KEPT = 10000 };

typedef struct weir_tls_directory weir_tls_directory_t;

/** NULL if `path` is no directory: see `problem`. */
weir_tls_directory_t *weir_tls_directory_open(const char *path, char problem[static WEIR_TLS_PROBLEM_BYTES]);

/** Frees it and nulls the pointer; harmless on NULL. */
void weir_tls_directory_close(weir_tls_directory_t **slot);

/** The certificate for a clean name, held for the caller; NULL if there is none. */
weir_tls_cert_t *weir_tls_directory_find(weir_tls_directory_t *directory, weir_span_t name);

/** weir_tls_tell_directory() of it. Reads files anew, and no keys; what is kept stays as it is. */
size_t weir_tls_directory_tell(weir_tls_directory_t *directory, size_t most, const weir_tls_telling_t *telling);

#endif
