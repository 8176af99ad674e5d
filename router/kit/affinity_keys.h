/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_AFFINITY_KEYS_H
#define WEIR_KIT_AFFINITY_KEYS_H
/**
 * @file  The keys of affinity cookies: made at the start, or read of a file that several machines share.
 *
 * OWNER    Who holds the struct; kit_keys_wipe() before its memory is given back.
 * THREAD   Made by one, published as a whole; read by any.
 */
#include "weir_types.h"

enum {
    KIT_KEYS_MOST = 16,
    KIT_KEY_BYTES = 32,
    KIT_KEY_FILE_BYTES = 65536,
};

typedef struct kit_key {
    uint8_t number; /* stands in the value, in clear */
    uint8_t key[KIT_KEY_BYTES];
    uint64_t not_after_s; /* since the epoch, the last second it is good in; 0: no end */
} kit_key_t;

/** Zeroed, there are none. */
typedef struct kit_keys {
    uint8_t id_key[KIT_KEY_BYTES]; /* of member ids: all pins hang on it              */
    kit_key_t at[KIT_KEYS_MOST];   /* the first that has not ended signs, all verify */
    size_t count;
} kit_keys_t;

/** Random ones of getrandom(): an id key, and number 0, which has no end. Waits, at the boot of a machine, for its entropy. */
void kit_keys_make(kit_keys_t *out);

/**
 * Reads a key file of at most KIT_KEY_FILE_BYTES: lines `id HEX32` (64 hexadecimal digits, once) and `NUMBER HEX32 [not-after]`
 * (0 … 255, each once, at least one; a time as RFC 3339 in UTC, "2027-01-31T00:00:00Z"). Blanks divide, `#` begins a comment.
 * It must be a regular file of mode 0600, 0640 or less.
 *
 * False: *out is zeroed, and `problem` says what is wrong as "path:line: what", or "path: what" of the file. Nothing of the
 * file's contents ever stands there.
 */
bool kit_keys_read(const char *path, kit_keys_t *out, char *problem, size_t problem_bytes);

/**
 * Writes a file that kit_keys_read() reads as these keys, of mode 0600, whole or not at all. It never takes another's place.
 * False, and `problem` says why: there is one already, or it cannot be written.
 */
bool kit_keys_save(const char *path, const kit_keys_t *keys, char *problem, size_t problem_bytes);

/** The key of a number that is good at `now_s`; NULL: unknown, or it has ended. */
const kit_key_t *kit_keys_find(const kit_keys_t *keys, uint8_t number, uint64_t now_s);
/** The one that signs at `now_s`; NULL: all have ended. */
const kit_key_t *kit_keys_signer(const kit_keys_t *keys, uint64_t now_s);

/** Overwrites all of it. */
void kit_keys_wipe(kit_keys_t *keys);

#endif
