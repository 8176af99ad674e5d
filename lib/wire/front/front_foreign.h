/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_FRONT_FOREIGN_H
#define WEIR_WIRE_FRONT_FOREIGN_H
/**
 * @file  Requests that came by one of libh2o's own fronts, in an application that embeds Weir.
 */
#include "lib/wire/relay/front.h"

extern const weir_front_ops_t front_foreign_ops;

/** Makes what the functions of front_foreign_ops need; before any of them, once per request. */
void front_foreign_begin(h2o_req_t *req);

#endif
