/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_EXPECT_H
#define WEIR_HTTP_EXPECT_H
/**
 * @file  Expect and Upgrade: the two fields that change what happens next. Pure.
 */
#include "lib/base/fault.h"
#include "lib/http/headers.h"

/**
 * Reads the first Expect field. *out_continue: exactly one element, 100-continue in any case. No field, or one with no
 * element, is no expectation. Faults: expectation_failed (well-formed, anything else), bad_request_header (malformed).
 */
WEIR_CHECKED const weir_fault_t *weir_expect_read(const weir_headers_t *headers, bool *out_continue);

/**
 * Reads Connection (every field; commas or whitespace between tokens) and Upgrade. *out_wanted: Connection names upgrade. Then
 * Upgrade must be a non-empty list of token or token/token, else bad_request_header.
 */
WEIR_CHECKED const weir_fault_t *weir_upgrade_read(const weir_headers_t *headers, bool *out_wanted);

#endif
