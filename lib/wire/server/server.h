/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_SERVER_H
#define WEIR_WIRE_SERVER_H
/**
 * @file  The running proxy: loops, listeners, signals, reload, drain.
 *
 * OWNER    conf/serve.c fills the settings, for each configuration anew; they stay as they are until they are discarded.
 */
#include "lib/wire/loop/settings.h"

/** A listening socket for another process. */
typedef struct weir_handed {
    int fd;                      /* closed on exec */
    const weir_listen_t *listen; /* borrowed       */
} weir_handed_t;

/** What the server asks of those who made the settings. Each on the main thread, unless it says otherwise. */
typedef struct weir_server_hooks {
    /**
     * Runs once when every listener is bound and before the first accept (drop privileges, pid file, READY). False: give up,
     * exit 1.
     */
    bool (*on_bound)(void *arg);
    /** Runs once when draining starts. */
    void (*on_drain)(void *arg);
    /** Runs on USR1. */
    void (*on_reopen)(void *arg);
    /** Runs once when every loop serves. */
    void (*on_serving)(void *arg);
    /** Runs on HUP, before load, and on USR2, before upgrade. */
    void (*on_reloading)(void *arg);
    /**
     * Makes settings anew; NULL if that is impossible, which has been said. Runs on a thread that serves nobody. NULL: no
     * reloads.
     */
    const weir_server_settings_t *(*load)(void *arg);
    /** What `load` has made will be used: its listeners are bound. False: it won't, which has been said. On load's thread. */
    bool (*start)(void *arg, const weir_server_settings_t *settings);
    /** Every loop uses `settings`; NULL: all is as it was. */
    void (*on_reloaded)(void *arg, const weir_server_settings_t *settings);
    /**
     * Starts another process with these sockets (borrowed) and waits until it serves: true, and the proxy drains. False: all is
     * as it was, and it has been said why. Runs on a thread that serves nobody. NULL: there are no upgrades.
     */
    bool (*upgrade)(void *arg, const weir_handed_t *sockets, size_t count);
    /** Has `upgrade` return false as soon as it can: the proxy is told to end. */
    void (*give_up_upgrade)(void *arg);
    /** After on_reloading for an upgrade, whatever came of it, and before the drain. */
    void (*on_upgraded)(void *arg, bool has_successor);
    /**
     * No request uses them any more: disposes of what lies in libh2o's hands. Of settings that came to nothing: on load's
     * thread.
     */
    void (*retire)(const weir_server_settings_t *settings);
    /** Frees all of it. Last call with these settings; runs on a thread that serves nobody, or when no loop runs any more. */
    void (*discard)(const weir_server_settings_t *settings);
    void *arg;
} weir_server_hooks_t;

/**
 * Blocks the signals that weir_server_run() will take, in this thread and those it starts from now on; USR2 is one of them only
 * if there are upgrades. To be called before modules are loaded: a signal that reaches a thread of theirs would end the process
 * instead of draining it.
 */
void weir_server_block_signals(bool has_upgrades);

/**
 * Binds, serves, drains. `settings` and whatever hooks->load makes are retired and discarded before it returns. Returns the
 * exit status: 0 clean, 1 a listener could not be bound (said on standard error as "where: what"), 3 the drain deadline passed
 * or a second signal came and connections were cut.
 */
int weir_server_run(const weir_server_settings_t *settings, const weir_server_hooks_t *hooks);

#endif
