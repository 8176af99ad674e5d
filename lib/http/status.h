/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_STATUS_H
#define WEIR_HTTP_STATUS_H
/**
 * @file  What status codes and methods imply. Pure.
 */
#include "weir_types.h"

/** The registered reason phrase, or "" for a status without one. */
const char *weir_status_reason(uint16_t status);

/** Whether a response with this status may carry a body to a request that is not HEAD (not 1xx, 204, 304). */
bool weir_status_has_body(uint16_t status);

/** Whether doing it twice is doing it once (RFC 9110 §9.2.2): GET HEAD OPTIONS TRACE PUT DELETE, case-sensitive. */
bool weir_method_is_idempotent(weir_span_t method);

#endif
