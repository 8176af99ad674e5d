/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_CALLER_H
#define WEIR_WIRE_TLS_CALLER_H
/**
 * @file  TLS over a connected socket that blocks, for a command that calls once.
 *
 * OWNER    The caller. The socket stays its own.
 * THREAD   Any, one at a time. Waits as long as the socket's own timeouts say.
 */
#include <sys/types.h>

#include "lib/wire/tls/tls_problem.h"

/** Files in PEM, borrowed for the call. */
typedef struct weir_tls_caller_settings {
    const char *server_name;      /* a name or an address, which the certificate must be for    */
    const char *ca_file;          /* NULL: whom the system trusts                               */
    const char *certificate_file; /* NULL: none is shown                                        */
    const char *key_file;         /* NULL: it stands in certificate_file                        */
} weir_tls_caller_settings_t;

typedef struct weir_tls_caller weir_tls_caller_t;

/** Shakes hands. NULL: see `problem`. */
weir_tls_caller_t *weir_tls_caller_open(int fd, const weir_tls_caller_settings_t *settings,
                                        char problem[static WEIR_TLS_PROBLEM_BYTES]);
/** Sends; false: it cannot be. */
bool weir_tls_caller_send(weir_tls_caller_t *caller, const char *bytes, size_t count);
/** How many bytes have come; 0: the end; -1: see `problem`. */
ssize_t weir_tls_caller_receive(weir_tls_caller_t *caller, char *bytes, size_t count,
                                char problem[static WEIR_TLS_PROBLEM_BYTES]);
/** Frees and nulls; harmless on NULL. */
void weir_tls_caller_close(weir_tls_caller_t **slot);

#endif
