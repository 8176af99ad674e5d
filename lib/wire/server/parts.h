/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_PARTS_H
#define WEIR_WIRE_PARTS_H
/**
 * @file  What a loop of the proxy's carries: idle connections, names, pipes, and what HTTP/2 connections share.
 */
#include "lib/wire/loop/loop.h"

extern const weir_loop_parts_t weir_loop_parts;

#endif
