/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WIRE_TLS_TICKET_FILE_H
#define WEIR_WIRE_TLS_TICKET_FILE_H
/**
 * @file  The reader of a file of ticket keys, as h2o's `ticket-file` has it: a list of mappings, in the plainest YAML.
 *
 *   - name: 32 hexadecimal digits
 *     cipher: AES-256-CBC or AES-128-CBC
 *     hash: SHA256 or SHA1
 *     key: 192 hexadecimal digits (32 bytes for the cipher, 64 for the hash), or 160 (16 and 64)
 *     not_before: seconds since the Unix epoch
 *     not_after: seconds since the Unix epoch
 *
 * Pure: no I/O, no clock.
 */
#include "weir_types.h"

enum { WEIR_TICKET_KEYS_MAX = 64, WEIR_TICKET_NAME_BYTES = 16, WEIR_TICKET_CIPHER_BYTES = 32, WEIR_TICKET_HASH_BYTES = 64 };

typedef struct weir_ticket_key {
    uint8_t name[WEIR_TICKET_NAME_BYTES];
    uint8_t cipher[WEIR_TICKET_CIPHER_BYTES]; /* of AES-128 the first half  */
    bool is_aes_128, is_sha1;                 /* else AES-256 and SHA-256   */
    uint8_t hash[WEIR_TICKET_HASH_BYTES];
    uint64_t not_before_s, not_after_s;
} weir_ticket_key_t;

/**
 * Reads at most WEIR_TICKET_KEYS_MAX keys. How many, at least 1; or 0 and what is wrong with which line (from 1; 0: with the
 * whole) of it.
 */
size_t weir_ticket_file_read(weir_span_t text, weir_ticket_key_t keys[static WEIR_TICKET_KEYS_MAX], size_t *out_line,
                             const char **out_problem);

#endif
