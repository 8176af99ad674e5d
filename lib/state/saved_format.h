/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STATE_SAVED_FORMAT_H
#define WEIR_STATE_SAVED_FORMAT_H
/**
 * @file  How the file is laid out; numbers are little-endian. Private to saved.c and saving.c.
 */
#include "lib/state/saved.h"

#define STATE_SAVED_MAGIC "WEIRSTAT"

enum {
    STATE_SAVED_VERSION = 1,
    STATE_SUM_BYTES = 4,
    STATE_RECORD_IS_REDIRECT = 1,
    STATE_RECORD_HAS_LEASE = 2,
    STATE_RECORD_IS_TROUBLE = 4, /* its kind is a state_bad_t, and why stands for the slot */
    STATE_RECORD_IS_END = 8,     /* its revision is how many records there are             */
    STATE_RECORD_IS_ABSENT = 16, /* held back                                              */
    STATE_RECORD_IS_SUSPECT = 32
};

/** The prefix stands behind it. */
typedef struct state_file_head {
    char magic[8];
    uint32_t version, prefix_bytes;
    uint64_t cluster_id, revision, saved_at_ms;
} state_file_head_t;
_Static_assert(sizeof(state_file_head_t) == 40, "as it stands in the file");

/** The key, the slot and the value stand behind it. */
typedef struct state_file_record {
    uint64_t mod_revision;
    uint32_t value_bytes;
    uint16_t key_bytes, slot_bytes;
    uint8_t kind, flags;
    uint8_t unused[6];
} state_file_record_t;
_Static_assert(sizeof(state_file_record_t) == 24, "as it stands in the file");

#endif
