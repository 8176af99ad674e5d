/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_NOTIFY_H
#define WEIR_CONF_NOTIFY_H
/**
 * @file  sd_notify(3) without its library.
 */

/** Sends `state` ("READY=1") to the socket that $NOTIFY_SOCKET names. Does nothing without one; failures do not matter. */
void conf_notify(const char *state);

/** The same, unless there is no room for it just now: waits for nobody. */
void conf_notify_now(const char *state);

#endif
