/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_PROBLEM_H
#define WEIR_WIRE_TLS_PROBLEM_H
/**
 * @file  Files for OpenSSL, and what it finds wrong with one, in words.
 */
#include <openssl/bio.h>

#include "weir_types.h"

enum { WEIR_TLS_PROBLEM_BYTES = 512 };

/** A file to be read, by weir_rights_read(); NULL with errno. */
BIO *weir_tls_open_file(const char *path);

/** Writes the oldest of OpenSSL's errors behind `what`, and empties the queue. Returns false. */
bool weir_tls_explain(char problem[static WEIR_TLS_PROBLEM_BYTES], const char *what, const char *about);

#endif
