/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_TELL_H
#define WEIR_WIRE_TLS_TELL_H
/**
 * @file  What operators are told of the certificates of an address.
 *
 * THREAD   Any, as long as the address is held.
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

/** Each certificate that is named in the configuration, once a file; none of a directory's. None of an application's. */
void weir_tls_tell(const struct weir_tls *tls, void (*each)(const weir_tls_told_t *told, void *context), void *context);

struct weir_tls_cert;
/** The same of one. */
void weir_tls_cert_tell(struct weir_tls_cert *cert, void (*each)(const weir_tls_told_t *told, void *context), void *context);

#endif
