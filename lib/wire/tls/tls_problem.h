/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_PROBLEM_H
#define WEIR_WIRE_TLS_PROBLEM_H
/**
 * @file  What OpenSSL finds wrong with a file, in words.
 */
#include "weir_types.h"

enum { WEIR_TLS_PROBLEM_BYTES = 512 };

/** Writes the oldest of OpenSSL's errors behind `what`, and empties the queue. Returns false. */
bool weir_tls_explain(char problem[static WEIR_TLS_PROBLEM_BYTES], const char *what, const char *about);

#endif
