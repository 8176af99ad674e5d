/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_RESUMPTION_H
#define WEIR_CONF_RESUMPTION_H
/**
 * @file  The directive `ssl-session-resumption`.
 */
#include "conf/snapshot.h"

/** Reads the mapping. Returns 0, or -1 after a complaint. */
int conf_resumption_read(conf_t *conf, const yoml_t *node);

/** Gives every listen with TLS its tickets; when all are known. False after a complaint. */
bool conf_resumption_finish(conf_t *conf);

#endif
