/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_DESTROY_H
#define WEIR_WALK_DESTROY_H
/**
 * @file  The end of an exchange; between pipeline.c and exchange.c only.
 */
#include "lib/walk/exchange.h"

/** Checks the invariants, balances the books and frees the arena `x` lies in. Every stage has been left. */
void weir_exchange_destroy(weir_exchange_t *x);

#endif
