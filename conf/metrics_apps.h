/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_METRICS_APPS_H
#define WEIR_CONF_METRICS_APPS_H
/**
 * @file  The directive `weir.metrics-apps`.
 */
#include "conf/snapshot.h"

/** Reads OFF, ON or { top: N } into conf->metrics.apps_most. Returns 0, or -1 after a complaint. */
int conf_metrics_apps_read(conf_t *conf, const yoml_t *node);

#endif
