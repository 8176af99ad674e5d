/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_TELL_H
#define WEIR_KIT_TELL_H
/**
 * @file  Why a request went where it went, told to its client in X-Weir-Explain, where weir.explain-trusted has it.
 *
 *   app=shop rule=exact pick=best drawn=web-1:3/1,web-2:0/0 queue=0 tries=1 pin=none
 *
 * rule     by what of the app it was found: exact, suffix or any, and `,prefix` if a path stands with it; none: its router has
 *          not said
 * drawn    who was compared in the last choice: requests in flight at that moment, and the handicap; as many as fit
 * queue    ms that it waited, hold and pause included
 * tries    backends that it was sent to, or was to be
 */
#include "domains.h"
#include "lease.h"

enum { KIT_TELL_BYTES = 768 };

typedef struct kit_told {
    kit_drawn_t drawn; /* in the last choice */
    kit_found_t found;
} kit_told_t;

/** Where its choices are noted; NULL: nowhere. */
kit_drawn_t *kit_tell_drawn(const kit_lease_t *lease);
/** From now on its choices are noted, if its client may know. */
void kit_tell_begin(kit_lease_t *lease, const weir_request_t *request);
/** How many bytes it has written; 0: its client may not know. */
size_t kit_tell_write(const kit_lease_t *lease, char out[static KIT_TELL_BYTES]);

#endif
