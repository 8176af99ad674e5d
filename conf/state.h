/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_STATE_H
#define WEIR_CONF_STATE_H
/**
 * @file  weir.state: where apps come from that are not in the configuration, and how they fare (docs/state.md).
 *
 * THREAD   The main one; answers are given on the steward's.
 */
#include "conf/snapshot.h"
#include "weir_admin.h"

/** Reads the directive. Returns 0, or -1 after a complaint. */
int conf_state_read(conf_t *conf, const yoml_t *node);
/** `weir check`: whether routers would take what is there now. False after complaints. */
bool conf_state_check(const conf_t *conf);

/** Before the first routers are started: what is there is read, and waits for them. */
void conf_state_begin(const conf_t *conf);
/** The routers of a configuration have been started: says what they have refused. */
void conf_state_started(void);
/**
 * Tells the service manager that the process is ready: now, or when the first state is there, or `wait` has passed. Behind
 * starting the routers.
 */
void conf_state_await_ready(const conf_t *conf);
/** Whether that has come. Any thread. */
bool conf_state_is_ready(void);
/** A reload's configuration is in force. */
void conf_state_use(const conf_t *conf);
/** Nothing is read any more. Before the steward ends; routers may still be in force. */
void conf_state_end(void);
/** All is forgotten. No router is in force. */
void conf_state_forget(void);

/** GET /v1/sources: the sources, and what of theirs was refused, and why. */
void conf_state_answer(weir_admin_call_t *call);
/** POST /v1/sources/accept: what was held back, since so much of it was gone, may go. */
void conf_state_accept(weir_admin_call_t *call);

#endif
