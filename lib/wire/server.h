/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SERVER_H
#define WEIR_WIRE_SERVER_H
/**
 * @file  The running proxy: loops, listeners, signals, reload, drain.
 *
 * OWNER    conf/serve.c fills the settings, for each configuration anew; they stay as they are until they are discarded.
 */
#include <sys/socket.h>

#include <h2o.h>

#include "lib/walk/plan.h"
#include "lib/wire/network.h"

/** One address to listen on. */
typedef struct weir_listen {
    struct sockaddr_storage address;
    socklen_t address_len;
    char name[128];                /* for messages: "127.0.0.1:8080", "[::]:80", "unix:/run/weir.sock" */
    const char *where;             /* "file:line", or NULL                        */
    bool has_proxy_protocol;       /* the first bytes of a connection are a PROXY header */
    const weir_network_t *trusted; /* who may send one; whoever else connects is closed */
    size_t trusted_count;          /* 0: everybody                                */
    uid_t owner;                   /* of a unix socket; (uid_t)-1: as created     */
    gid_t group;
    mode_t permission;      /* of a unix socket; 0: as created             */
    struct weir_tls *tls;   /* NULL: plain; see tls.h. The listen's share  */
    h2o_hostconf_t **hosts; /* NULL-terminated: the hosts reachable here   */
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
    uint64_t max_body_bytes;
    weir_access_log_t *access_log; /* for requests that no path was found for; NULL: off */
    bool has_proxy_status;
} weir_server_settings_t;

/** What the server asks of those who made the settings. Each on the main thread, unless it says otherwise. */
typedef struct weir_server_hooks {
    /** Runs once when every listener is bound and before the first accept (drop privileges, pid file, READY). False: give up, exit 1. */
    bool (*on_bound)(void *arg);
    /** Runs once when draining starts. */
    void (*on_drain)(void *arg);
    /** Runs on USR1. */
    void (*on_reopen)(void *arg);
    /** Runs on HUP, before load. */
    void (*on_reloading)(void *arg);
    /** Makes settings anew; NULL if that is impossible, which has been said. Runs on a thread that serves nobody. NULL: no reloads. */
    const weir_server_settings_t *(*load)(void *arg);
    /** Every loop uses `settings`; NULL: all is as it was. */
    void (*on_reloaded)(void *arg, const weir_server_settings_t *settings);
    /** No request uses them any more: disposes of what lies in libh2o's hands. Of settings that came to nothing: on load's thread. */
    void (*retire)(const weir_server_settings_t *settings);
    /** Frees all of it. Last call with these settings; runs on a thread that serves nobody, or when no loop runs any more. */
    void (*discard)(const weir_server_settings_t *settings);
    void *arg;
} weir_server_hooks_t;

/**
 * Blocks the signals that weir_server_run() will take, in this thread and those it starts from now on. To be called before modules
 * are loaded: a signal that reaches a thread of theirs would end the process instead of draining it.
 */
void weir_server_block_signals(void);

/**
 * Binds, serves, drains. `settings` and whatever hooks->load makes are retired and discarded before it returns. Returns the exit
 * status: 0 clean, 1 a listener could not be bound (said on standard error as "where: what"), 3 the drain deadline passed
 * or a second signal came and connections were cut.
 */
int weir_server_run(const weir_server_settings_t *settings, const weir_server_hooks_t *hooks);

#endif
