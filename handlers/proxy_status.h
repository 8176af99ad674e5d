/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HANDLERS_PROXY_STATUS_H
#define WEIR_HANDLERS_PROXY_STATUS_H
/**
 * @file  The Proxy-Status header (RFC 9209): why this proxy answered in the backend's place.
 */
#include "lib/base/arena.h"

/** `weir; error=connection_refused; details="backend_refused"`, in `arena`. */
weir_span_t weir_proxy_status(weir_arena_t *arena, const weir_fault_t *fault);

#endif
