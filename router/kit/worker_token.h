/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_WORKER_TOKEN_H
#define WEIR_KIT_WORKER_TOKEN_H
/**
 * @file  The tokens of an app's workers, of which nobody here knows more than their SHA-256: as configured, and compared.
 *
 *   { sha256: 64 hex digits, not-after: 2027-01-31 or 2027-01-31T12:00:00Z, note: anything }   or the digits alone
 */
#include "domains.h"
#include "weir_config.h"

enum {
    KIT_WORKER_ITEM_BYTES = KIT_ENTRY_BYTES,
    KIT_WORKER_ITEMS_MOST = 64,
    KIT_WORKER_HOLD_MS = 1000,    /* as measured: a worker that was started anew is back in less */
    KIT_WORKER_CONNECTIONS = 200, /* of an app of which nothing is said */
    KIT_SHA256_BYTES = 32,
};

/** Reads one as it is kept: "digits", or "digits@seconds". False after a complaint. */
bool kit_worker_token_read(const weir_config_t *item, char text[KIT_WORKER_ITEM_BYTES]);

/** Whether it is one of these, and of its time. `tokens` NULL: there are none. In the same time whatever is different. */
bool kit_worker_token_is(const char *tokens, const uint8_t sha256[KIT_SHA256_BYTES], uint64_t now_s);

#endif
