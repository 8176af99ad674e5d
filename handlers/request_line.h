/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_REQUEST_LINE_H
#define WEIR_HANDLERS_REQUEST_LINE_H
/**
 * @file  A request's line in the access log: once, by 80 or by 90, when the client has been answered.
 */
#include "lib/walk/exchange.h"

/**
 * Writes the line now if the router still owes an answer, which may take as long as it likes, and may never come: then the line
 * is without the router's fields, since nothing may be asked of it yet.
 */
void stages_log_unless_idle(weir_exchange_t *x);

/** No question is open: calls the router's `log`, and writes the line with its fields unless it is written. */
void stages_log(weir_exchange_t *x);

#endif
