/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_HOST_H
#define WEIR_HTTP_HOST_H
/**
 * @file  The Host header: reg-name, IPv4 or [IPv6], and an optional port (RFC 9110 §7.2, RFC 3986 §3.2.2). Pure.
 */
#include "weir_types.h"

/**
 * Splits `value`. False if it is malformed: characters outside reg-name, an unclosed or wrong bracket, a port that is not
 * digits or above 65535, userinfo. An empty value or ":80" alone is well-formed with an empty host, and so is an empty port
 * (RFC 3986 §3.2.3). *out_host borrows from `value`, brackets kept, port left out, case as sent. *out_port is -1 if none is
 * named.
 */
bool weir_host_split(weir_span_t value, weir_span_t *out_host, int32_t *out_port);

#endif
