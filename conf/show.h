/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CONF_SHOW_H
#define WEIR_CONF_SHOW_H
/**
 * @file  What a module says when it is checked: on standard output, as it says it.
 */
#include "weir_host.h"

struct weir_show {
    unsigned lines, warnings;
};

#endif
