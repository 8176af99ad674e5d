/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_HEROKU_H
#define WEIR_HANDLERS_HEROKU_H
/**
 * @file  How Heroku calls what this request ended by: in the access line, and on pages of ours.
 */
#include "lib/http/heroku_code.h"
#include "lib/walk/exchange.h"

/** NULL: it has ended well so far, or the plan does not ask for Heroku's codes. On the exchange's thread. */
const weir_heroku_code_t *weir_heroku_of(const weir_exchange_t *x);

#endif
