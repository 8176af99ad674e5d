/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_LISTEN_SSL_H
#define WEIR_CONF_LISTEN_SSL_H
/**
 * @file  The mapping `ssl` of a `listen`.
 */
#include "conf/snapshot.h"
#include "lib/wire/tls/tls.h"

/** What it says. Strings are in the configuration's arena. */
typedef struct conf_ssl {
    const yoml_t *node; /* NULL: there is none, the listen is plain */
    const char *certificate_file, *key_file;
    weir_tls_settings_t settings;
    const char *text; /* the settings again, to be compared: one address has one set of them */
} conf_ssl_t;

/** Reads the mapping. Returns 0, or -1 after a complaint. */
int conf_ssl_read(conf_t *conf, const yoml_t *node, conf_ssl_t *out_ssl);

/**
 * Makes what the mapping says, for `host` or (NULL) for all, at a listen that is new or has the same settings. Returns a
 * sentence on failure.
 */
const char *conf_ssl_grant(conf_t *conf, const conf_ssl_t *ssl, const h2o_hostconf_t *host, weir_listen_t *listen);

#endif
