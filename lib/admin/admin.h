/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ADMIN_ADMIN_H
#define WEIR_ADMIN_ADMIN_H
/**
 * @file  The admin endpoint: HTTP/1.1 on the steward's loop, for operators. libh2o's own front serves it, not ours: nobody but
 * the machine's operators comes here, and nothing that happens here may touch what serves clients.
 *
 *   conf/admin.c ── routes ──► admin.c (sockets, connections) ──► call.c (one request, its answer)
 *
 * Over TCP callers show who they are (gate.h), as the kernel does not know it.
 *
 * Bounds: 64 connections (a 65th has the oldest of a stranger cut, or else the oldest), 8 MiB a body, 30 s from a request's
 * first byte to its last.
 *
 * THREAD   bind, start and stop: the main one. Routes answer on the steward's.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include "lib/http/network.h"
#include "weir_admin.h"

enum {
    WEIR_ADMIN_CONNECTIONS = 64,
    WEIR_ADMIN_BODY_BYTES = 8 << 20,
    WEIR_ADMIN_BODY_BYTES_TCP = 1024,
    WEIR_ADMIN_REQUEST_MS = 30000,
};

/** Where it listens: at a unix socket, over TCP, or both. */
typedef struct weir_admin_place {
    const char *path; /* of a unix socket; NULL: none */
    uid_t owner;      /* (uid_t)-1: as created */
    gid_t group;      /* likewise          */
    mode_t permission;
    bool requires_match; /* PUT, PATCH and DELETE say what they have seen: conf's */

    const char *listen; /* as it is written: "127.0.0.1:9101"; NULL: not over TCP */
    struct sockaddr_storage address;
    socklen_t address_len;
    const char *host;             /* what callers may call it in Host besides its address; NULL: nothing else   */
    const char *token_file;       /* NULL: a client's certificate is enough                                     */
    const char *certificate_file; /* NULL: no TLS                                                               */
    const char *key_file;
    const char *client_ca_file; /* NULL: clients show no certificate */
    bool is_successor;          /* a predecessor may have the address still */
} weir_admin_place_t;

/**
 * What answers: paths whose segments are those of `path`, of which "*" is any, and a last "**" any number, none included. The
 * first one that fits a path answers for it, if one of that path has its method; segment 0 of the call is then the first "*" or
 * "**".
 */
typedef struct weir_admin_route {
    const char *method, *path;
    void (*answer)(weir_admin_call_t *call);
} weir_admin_route_t;

/** What comes next is another's: its segment 0 is `count` further on. For a route that hands the call on. */
void weir_admin_skip(weir_admin_call_t *call, size_t count);

/**
 * A call within a call, whose answer is not sent, but kept: for `segment` behind the router's name, with the method and the
 * query of `call`, with which it is gone. For a route that asks several routers.
 */
weir_admin_call_t *weir_admin_inner(const weir_admin_call_t *call, const char *segment);

/** What was answered; base NULL: nothing, or a problem. */
weir_span_t weir_admin_inner_document(const weir_admin_call_t *inner);

/** A route: answers with the page for browsers (page.html). */
void weir_admin_page(weir_admin_call_t *call);
/** A route: answers with the description of all calls (openapi.json). */
void weir_admin_openapi(weir_admin_call_t *call);
/** Answers with something that is no JSON: `type` is its media type. As weir_admin_answer(). */
void weir_admin_answer_as(weir_admin_call_t *call, uint16_t status, const char *type, const char *body, size_t bytes);

typedef struct weir_admin weir_admin_t;

/** Whether the files of `place` can be used. False: the reason stands in `problem`. */
bool weir_admin_check(const weir_admin_place_t *place, char *problem, size_t problem_bytes);

/** Opens the sockets, the one at a path with its owner and permission, and listens. NULL: the reason stands in `problem`. */
weir_admin_t *weir_admin_bind(const weir_admin_place_t *place, char *problem, size_t problem_bytes);

/**
 * The same over TCP: `fd` listens, and is the endpoint's from now on. Who does not come from one of `from` (copied) gets a 403;
 * bodies have a KiB at most. Never NULL.
 */
weir_admin_t *weir_admin_adopt(int fd, const weir_network_t *from, size_t from_count);

/** Serves from now on. `routes`, borrowed, end with a method of NULL. */
void weir_admin_start(weir_admin_t *admin, const weir_admin_route_t *routes);

/** Takes no more connections, and keeps none behind its next answer: a successor is there for them. Waits for nothing. */
void weir_admin_retreat(weir_admin_t *admin);
/** A successor serves: over TCP nobody else comes here from now on. The path of the unix socket is the successor's already. */
void weir_admin_retire(weir_admin_t *admin);

/** Closes all connections, and removes the socket if it is still ours. Frees and nulls; harmless on NULL. */
void weir_admin_stop(weir_admin_t **slot);

#endif
