/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_PROCESS_H
#define WEIR_CONF_PROCESS_H
/**
 * @file  What operators ask of the process as a whole: a reload, an upgrade, its certificates.
 *
 * A call for a reload or an upgrade does what the signal does, and is answered when it is known what came of it:
 *
 *   call ─► asked ─ HUP ─► on_reloading: begun ─► load, bind, start ─► on_reloaded: answered
 *
 * One that is asked for while another is under way waits for the next, as a second HUP does.
 *
 * THREAD   conf_process_…(): the main one, but for conf_process_loads(). Answers are asked for on the steward's.
 */
#include "conf/snapshot.h"
#include "weir_admin.h"

/** It begins: with a file that can be read again, or NULL. */
void conf_process_begin(const char *file);
/** A reload or an upgrade begins. */
void conf_process_begins(void);
/** This thread reads the configuration: what it says of it is for who has asked. */
void conf_process_loads(void);
/** What came of a reload. */
void conf_process_reloaded(bool is_taken);
/** What came of an upgrade; 0: nothing, else the process that serves. */
void conf_process_upgraded(pid_t successor);
/** Nothing more is going to come: whoever waits is told so. */
void conf_process_drains(void);

/** From now on its certificates are those that are told of; NULL: none. Holds what it needs. */
void conf_certificates_use(const conf_t *conf);

/** The proxy ends: nobody is told of certificates any more. Waits for a file that is being read. */
void conf_certificates_end(void);

/** The proxy has ended: nobody is told of connections any more. */
void conf_connections_end(void);

/** GET /v1/connections. */
void conf_connections_answer(weir_admin_call_t *call);
/** POST /v1/reload and /v1/upgrade. */
void conf_reload_answer(weir_admin_call_t *call);
void conf_upgrade_answer(weir_admin_call_t *call);
/** GET /v1/certificates. */
void conf_certificates_answer(weir_admin_call_t *call);

#endif
