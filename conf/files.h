/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_FILES_H
#define WEIR_CONF_FILES_H
/**
 * @file  The directives file.*, in the place of libh2o's of the same names. file.mime.* stays libh2o's.
 */
#include "conf/snapshot.h"

/** Gives conf->level h2o's defaults, and the globalconf the directives. */
void conf_files_register(conf_t *conf);

#endif
