/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_STATE_TEXT_H
#define WEIR_ROUTER_STATE_TEXT_H
/**
 * @file  Texts of apps, which the process and its routers keep together: of a hundred thousand apps none is kept twice.
 *
 * OWNER    Whoever holds one.
 * THREAD   Any; they do not change.
 */
#include "router/weir_state.h"

/** A copy, held once. Never NULL. */
weir_state_text_t *weir_state_text_create(const char *json);

#endif
