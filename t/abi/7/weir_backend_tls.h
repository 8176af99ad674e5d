/* SPDX-License-Identifier: MIT */
#ifndef WEIR_BACKEND_TLS_H
#define WEIR_BACKEND_TLS_H 
#include "weir_types.h"
typedef struct weir_backend_tls_settings {
    size_t size;
    const char *ca_file;
    const char *certificate_file;
    const char *key_file;
    const char
        *server_name;
    bool is_unverified;
} weir_backend_tls_settings_t;
WEIR_API weir_backend_tls_t *weir_backend_tls_create(const weir_backend_tls_settings_t *settings, char *problem,
                                                     size_t problem_bytes);
WEIR_API void weir_backend_tls_release(weir_backend_tls_t *tls);
#endif
