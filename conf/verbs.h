/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_VERBS_H
#define WEIR_CONF_VERBS_H
/**
 * @file  What the command line offers. Each verb returns an exit status.
 */
#include "conf/snapshot.h"

enum { EXIT_FINE = 0, EXIT_START_UP = 1, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOBODY = 6 }; /* 3 is weir_server_run()'s */

/** Serves what `*conf` says until told to stop; takes it over and nulls it. HUP reads `file` again; NULL: it is ignored. */
int conf_serve(conf_t **conf, const char *file);

int conf_verb_run(const char *file);
int conf_verb_check(const char *file);
int conf_verb_version(void);

/** Serves port $PORT or 8080 for backends on 127.0.0.1, ports 8081 and 8082. */
int conf_verb_demo(void);
/** The same for workers that dial in, at port 9001 or $WORKER_PORT. */
int conf_verb_demo_workers(void);

/**
 * Prints docs/configuration.md ("markdown" or "configuration"), docs/weir.conf.5 ("man" or "weir.conf.5"), docs/faults.md
 * ("faults"), docs/metrics.md ("metrics"), or the list of docs/coming-from-h2o.md ("h2o").
 */
int conf_verb_docs(const char *format);
int conf_docs_faults(void);
int conf_docs_metrics(void);

#endif
