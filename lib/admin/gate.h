/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_GATE_H
#define WEIR_ADMIN_GATE_H
/**
 * @file  Who may call over TCP: whoever shows a token, or a certificate, or both, as weir.admin has it. Private to lib/admin.
 *
 * Ten calls a second of an address that show no right token are answered (401); the connections of further ones are cut. A
 * right token is taken all the same, so that nobody locks others out; that it has 16 characters or more keeps it from being
 * guessed.
 *
 * OWNER    The endpoint.
 * THREAD   The steward's, but for open and close.
 */
#include <sys/socket.h>

#include "lib/admin/call.h"

enum { ADMIN_GATE_FAILURES = 10, ADMIN_ADDRESS_BYTES = 64, ADMIN_NAME_BYTES = 256 };

typedef struct admin_gate admin_gate_t;

/** Of a TCP connection. */
typedef struct admin_guest {
    int fd; /* borrowed */
    struct sockaddr_storage address;
    char address_text[ADMIN_ADDRESS_BYTES]; /* "192.0.2.1:4711"; empty: it has come by the unix socket */
    char certificate[ADMIN_NAME_BYTES / 2]; /* "certificate CN=…"; empty: it has shown none            */
    char name[ADMIN_NAME_BYTES];            /* who has made the last call                              */
    bool is_secure;                         /* its handshake is over                                   */
    bool is_known;                          /* a call of it was let in, or its certificate was         */
    const char *alert;                      /* why there was no handshake; NULL: it is not known       */
} admin_guest_t;

/** NULL: see `problem`. */
admin_gate_t *admin_gate_open(const weir_admin_place_t *place, char *problem, size_t bytes);
/** Frees and nulls; harmless on NULL. */
void admin_gate_close(admin_gate_t **slot);

/** A socket that listens at place->address; -1: see `problem`. */
int admin_gate_listen(const weir_admin_place_t *place, char *problem, size_t bytes);

/** Who has come on `fd`. */
void admin_guest_enter(admin_guest_t *guest, int fd);
/** Its handshake is over, with this certificate; empty: without one. */
void admin_guest_show(admin_guest_t *guest, const char *subject);
/** It has gone without a handshake: one of ten a second is told. */
void admin_guest_tell_failure(const admin_guest_t *guest);

/** True: the call may be answered. False: it was (401), or its connection was cut. */
bool admin_gate_admits(admin_gate_t *gate, admin_guest_t *guest, weir_admin_call_t *call);

#endif
