/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_METRICS_ENDPOINT_H
#define WEIR_CONF_METRICS_ENDPOINT_H
/**
 * @file  weir.metrics of the global level: an address of its own for /metrics, /livez and /readyz, on the steward's loop. The
 * admin endpoint has the three as well.
 *
 * THREAD   The main one; answers are given on the steward's.
 */
#include "conf/snapshot.h"

/* ---- the directive ---- */

/** Reads it. Returns 0, or -1 after a complaint. */
int conf_metrics_place_read(conf_t *conf, const yoml_t *node);
/** Whether clients are served elsewhere; when all listens are known. Returns 0, or -1 after a complaint. */
int conf_metrics_place_check(const conf_t *conf, const yoml_t *node);

/* ---- the listener ---- */

/** Opens it, if there is to be one, or takes a predecessor's: while the process has its rights. False after a complaint. */
bool conf_metrics_endpoint_bind(const conf_t *conf);
/** Serves. Harmless without one. */
void conf_metrics_endpoint_start(void);
/** Whether it is there. */
bool conf_metrics_endpoint_is(const conf_metrics_place_t *place);
/** Its socket, for a successor; -1: there is none. Any thread. */
int conf_metrics_endpoint_fd(void);
/** A successor serves there: nobody else is let in. Harmless without one. */
void conf_metrics_endpoint_retreat(void);
/** Ends it. Harmless without one. */
void conf_metrics_endpoint_stop(void);

/* ---- what answers ---- */

/** How it stands with the process. */
typedef enum conf_ready { CONF_STARTING, CONF_READY, CONF_DRAINING, CONF_SUCCEEDED } conf_ready_t;
void conf_ready_set(conf_ready_t state);
/** Whether it is CONF_READY. Any thread. */
bool conf_is_ready(void);

/** Copies what is told from now on. */
void conf_metrics_use(const weir_metrics_settings_t *settings);

/** Text 0.0.4, or OpenMetrics for who asks for it. */
void conf_metrics_answer(weir_admin_call_t *call);
/** 200 while all loops turn, else 503, and which does not. */
void conf_livez_answer(weir_admin_call_t *call);
/** 200 while requests are welcome, else 503, and why they are not. */
void conf_readyz_answer(weir_admin_call_t *call);

#endif
