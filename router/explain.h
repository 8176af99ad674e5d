/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_EXPLAIN_H
#define WEIR_ROUTER_EXPLAIN_H
/**
 * @file  What a router has answered to whoever asks what would become of a request.
 *
 * OWNER    Who asks: zeroed, on its stack; weir_explain_end() in the end.
 */
#include "weir_explain.h"

enum { WEIR_EXPLAIN_BYTES = 8 << 20, WEIR_EXPLAIN_REASON_BYTES = 256 };

struct weir_explain {
    char *json; /* NULL: it has not answered */
    size_t bytes;
    char unknown[WEIR_EXPLAIN_REASON_BYTES]; /* why it cannot be known; empty: it has not said so */
};

/** Frees what it holds. */
void weir_explain_end(weir_explain_t *explain);

#endif
