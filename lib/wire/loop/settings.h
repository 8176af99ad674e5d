/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SETTINGS_H
#define WEIR_WIRE_SETTINGS_H
/**
 * @file  What one configuration comes to for the wire. Made by conf/, read by every room.
 */
#include <stdatomic.h>
#include <sys/socket.h>

#include <h2o.h>

#include "lib/walk/plan.h"

struct weir_network;
struct weir_tally;

/** One address to listen on. */
typedef struct weir_listen {
    struct sockaddr_storage address;
    socklen_t address_len;
    char name[128];                     /* for messages: "127.0.0.1:8080", "[::]:80", "unix:/run/weir.sock" */
    const char *where;                  /* "file:line", or NULL                        */
    bool has_proxy_protocol;            /* the first bytes of a connection are a PROXY header */
    const struct weir_network *trusted; /* who may send one; whoever else connects is closed */
    size_t trusted_count;               /* 0: everybody                                */
    uid_t owner;                        /* of a unix socket; (uid_t)-1: as created     */
    gid_t group;
    mode_t permission;          /* of a unix socket; 0: as created             */
    struct weir_tls *tls;       /* NULL: plain; see tls.h. The listen's share  */
    uint32_t header_timeout_ms; /* until a path is known; 0: that of the settings */
    h2o_hostconf_t **hosts;     /* NULL-terminated: the hosts reachable here   */
    /* Open at once, over all threads; 0: any number. Whoever comes beyond it has his first request refused. */
    uint32_t max_client_connections;     /* that came in here                                      */
    uint32_t max_connections_per_client; /* of one address, wherever they came in: tally.h         */
} weir_listen_t;

/** What one configuration comes to. */
typedef struct weir_server_settings {
    h2o_globalconf_t *globalconf;
    const weir_listen_t *listens;
    size_t listen_count;
    unsigned threads;         /* 1 or more; the first configuration's count */
    unsigned max_connections; /* over all threads; beyond it accepting pauses */
    uint32_t drain_timeout_ms;
    /** What a front needs before a path is known: limits and timers of the global level, widened to the widest path. */
    weir_head_limits_t head_limits;
    uint32_t header_timeout_ms;
    uint32_t idle_timeout_ms; /* client body, client not reading a response */
    uint32_t max_requests_per_connection;
    uint32_t http2_stream_window;     /* bytes that a client may send ahead of the backend, on a stream */
    uint32_t http2_connection_window; /* and on all streams of a connection; 0: what they may have together */
    uint64_t max_body_bytes;
    uint32_t max_trailer_bytes;    /* behind a body, of either side */
    weir_span_t default_host;      /* with or without a port: of requests that name none; empty: none has it */
    weir_access_log_t *access_log; /* for requests that no path was found for; NULL: off */
    bool has_proxy_status;
    bool has_log_time;         /* lines of access_log begin with the time */
    bool has_heroku_codes;     /* and call reasons as Heroku does */
    const char *dns_servers;   /* "127.0.0.1:53,[::1]:53": who is asked for names of backends; NULL: the system's */
    uint32_t callback_warn_ms; /* libh2o's handlers: one that takes so long is named; 0: none */
    uint32_t watchdog_ms;      /* a loop without a sign of life for so long is named; 0: none */
    uint32_t watchdog_kill_ms; /* and the process ends behind so long; 0: never */
    unsigned name_threads;     /* for names that files and servers do not know: see name_system.h; 0: none */
} weir_server_settings_t;

/** What all loops of one proxy count together. */
typedef struct weir_server {
    atomic_uint connections;  /* of clients, over all loops */
    atomic_bool has_cut;      /* a connection was closed before it was done */
    int64_t began_at_s;       /* since 1970 */
    struct weir_tally *tally; /* of clients' connections; NULL: the application's affair, not ours */
} weir_server_t;

#endif
