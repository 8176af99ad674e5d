/* SPDX-License-Identifier: MIT */
#ifndef WEIR_FASTCGI_H
#define WEIR_FASTCGI_H 
#include "weir_types.h"
struct weir_fastcgi {
    size_t size;
    weir_span_t root;
    weir_span_t suffix;
    weir_span_t index;
    bool is_delegated;
};
#endif
