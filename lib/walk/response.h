/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WALK_RESPONSE_H
#define WEIR_WALK_RESPONSE_H
/**
 * @file  The headers of the backend's response, as the accessors of weir_request.h read them.
 *
 * MEMORY   Lent, they point into the wire's read buffer. They are copied into the exchange's arena once, and only if somebody
 *          reads them while they are lent, or will be asked for them afterwards.
 */
#include "lib/walk/exchange.h"

/** Shows `headers` to the accessors until weir_response_take_back(). */
void weir_response_lend(weir_exchange_t *x, const weir_headers_t *headers);

/** Ends that; with must_keep the accessors go on reading a copy. Harmless if nothing is lent. */
void weir_response_take_back(weir_exchange_t *x, bool must_keep);

/**
 * Puts the request's id into headers that the client will get, in place of others of that name, if the path's plan wants it
 * told. They lie in x->arena, or are copied there.
 */
void weir_response_tell_id(weir_exchange_t *x, weir_headers_t *headers);

#endif
