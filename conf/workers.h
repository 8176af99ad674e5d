/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_WORKERS_H
#define WEIR_CONF_WORKERS_H
/**
 * @file  weir.workers: where backends dial in. At a path, or at the global level with a listener of its own: short for a
 * host with that `listen` and the path /.
 */
#include "conf/snapshot.h"

/** The host that the short form stands for; only its own listener leads there. */
#define CONF_WORKERS_HOST "weir.workers"

/** Writes the short form out, in a document that was read. */
void conf_workers_expand(yoml_t **document);
/** Reads it at a path (NULL: at the global level, where it lacks its `listen`). Returns 0, or -1 after a complaint. */
int conf_workers_read(conf_t *conf, const h2o_hostconf_t *host, h2o_pathconf_t *pathconf, const yoml_t *node);
/** What it says is in force: from the first configuration with workers on, routers are told of them, and they are reviewed. */
void conf_workers_use(const conf_t *conf);
/** The proxy drains: workers are to dial another one. */
void conf_workers_drain(void);
/** Nobody is told any more. Before the steward ends. */
void conf_workers_end(void);

#endif
