/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BACKEND_TLS_H
#define WEIR_BACKEND_TLS_H
/**
 * @file  TLS with backends: who they must be, and what we show them. A router makes one and names it in weir_backend_use_tls().
 */
#include "weir_types.h"

/** Who a backend must be, and what we show it. Paths are of PEM files. Members are only ever appended. */
typedef struct weir_backend_tls_settings {
    size_t size;                  /* sizeof(weir_backend_tls_settings_t)                      */
    const char *ca_file;          /* who may sign its certificate; NULL: the system's authorities */
    const char *certificate_file; /* of our own, with its chain; NULL: none                   */
    const char *key_file;         /* its key                                                  */
    const char
        *server_name;   /* which name to ask for (SNI) and to find in its certificate; NULL: the host of weir_backend_at() */
    bool is_unverified; /* any certificate will do: whoever sits on the way may read and answer */
} weir_backend_tls_settings_t;

/**
 * Makes one, for any number of backends, requests and threads; in configure, say. It remembers sessions, so that handshakes are
 * short. The settings are copied. NULL: what is wrong stands in `problem` (`problem_bytes` of room). Since ABI 3.
 */
WEIR_API weir_backend_tls_t *weir_backend_tls_create(const weir_backend_tls_settings_t *settings, char *problem,
                                                     size_t problem_bytes);
/** Lets go of it; connections that were made with it keep it until they close. Harmless on NULL. Since ABI 3. */
WEIR_API void weir_backend_tls_release(weir_backend_tls_t *tls);

#endif
