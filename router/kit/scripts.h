/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_SCRIPTS_H
#define WEIR_KIT_SCRIPTS_H
/**
 * @file  Where a FastCGI application has its scripts, as configuration says it: `root`, `index` and `split`.
 */
#include "weir_fastcgi.h"
#include "weir_host.h"

/**
 * Reads the keys root, index and split of `node`; is_fastcgi: they may be there. Without a root there are no scripts. False
 * after a complaint; scripts_finish() also what that left.
 */
bool scripts_read(const weir_config_t *node, bool is_fastcgi, weir_fastcgi_t *out);

void scripts_finish(weir_fastcgi_t *fastcgi);

#endif
