/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_COMPRESS_H
#define WEIR_CONF_COMPRESS_H
/**
 * @file  The directives compress, compress-minimum-size and gzip, in the place of libh2o's of the same names.
 */
#include "conf/snapshot.h"

/** Gives conf->level h2o's defaults, and the globalconf the directives. */
void conf_compress_register(conf_t *conf);

#endif
