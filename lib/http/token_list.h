/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HTTP_TOKEN_LIST_H
#define WEIR_HTTP_TOKEN_LIST_H
/**
 * @file  Tokens and comma-separated lists of them (RFC 9110 §5.6.1, §5.6.2). Pure.
 */
#include "weir_types.h"

/** Whether `bytes` is a token: one or more of the characters RFC 9110 allows. */
bool weir_is_token(weir_span_t bytes);

/** Whether `c` may stand in a token. */
bool weir_is_token_char(char c);

/**
 * Takes the next element of a comma list off the front of `*list`; empty elements are skipped, whitespace around elements
 * is dropped. False at the end. An element is whatever stands between commas: check it with weir_is_token() where it matters.
 */
bool weir_token_list_next(weir_span_t *list, weir_span_t *out_element);

/** Whether one element equals `token`, letters of either case being equal. */
bool weir_token_list_has(weir_span_t list, weir_span_t token);

#endif
