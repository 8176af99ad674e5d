/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_WATCHDOG_H
#define WEIR_CONF_WATCHDOG_H
/**
 * @file  What the watch over the loops (lib/walk/watch.h) is told by the configuration and by systemd (sd_watchdog_enabled(3)).
 *
 * THREAD   The main one.
 */
#include "lib/wire/loop/settings.h"

/**
 * Reads $WATCHDOG_USEC and $WATCHDOG_PID, which may be this process's, or, with `is_successor`, its parent's: then it is this
 * one's from now on. Before threads are started.
 */
void conf_watchdog_read(bool is_successor);

/** From now on the loops are watched as the settings say; with WATCHDOG_USEC systemd is told while they live. */
void conf_watchdog_begin(const weir_server_settings_t *settings);

/** systemd hears of another process now. */
void conf_watchdog_be_silent(const weir_server_settings_t *settings);

/** No more. */
void conf_watchdog_end(void);

#endif
