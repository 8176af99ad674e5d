/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_ADMIN_WIRE_H
#define WEIR_CONF_ADMIN_WIRE_H
/**
 * @file  A connection to an admin endpoint, from a command: by a unix socket, over TCP, or TLS. Blocks, as long as it is told
 * to at most.
 *
 * THREAD   Any, one connection each.
 */
#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

struct weir_tls_caller;

enum { CONF_WIRE_PROBLEM_BYTES = 512 };

/** What commands show over TCP; set before the first call, and NULL where nothing is said. */
typedef struct conf_admin_credentials {
    const char *token_file; /* a token, or lines as those of weir.admin: the first counts; else WEIR_ADMIN_TOKEN_FILE */
    const char *ca_file, *certificate_file, *key_file; /* for https:// */
} conf_admin_credentials_t;

extern conf_admin_credentials_t conf_admin_credentials;

/** Where an option of that name goes ("--token-file"); NULL: it is none of these. */
const char **conf_admin_credential(const char *option);

typedef struct conf_admin_wire {
    int fd;
    struct weir_tls_caller *tls;       /* NULL: none */
    char host[256];                    /* for Host   */
    char token[256];                   /* empty: none is shown */
    char why[CONF_WIRE_PROBLEM_BYTES]; /* it has failed, if it is known */
} conf_admin_wire_t;

/** `where`: a path, http://HOST:PORT or https://HOST[:PORT]. False: nobody answers there, and wire->why says why. */
bool conf_admin_wire_open(conf_admin_wire_t *wire, const char *where, unsigned wait_ms);
/** False: it cannot be sent. */
bool conf_admin_wire_send(conf_admin_wire_t *wire, const char *bytes, size_t count);
/** How many bytes have come; 0: the end; -1: it has failed. */
ssize_t conf_admin_wire_receive(conf_admin_wire_t *wire, char *bytes, size_t count);
void conf_admin_wire_close(conf_admin_wire_t *wire);

#endif
