/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_TELL_H
#define WEIR_KIT_TELL_H
/**
 * @file  Why a request went where it went, told to its client in X-Weir-Explain, where weir.explain-trusted has it.
 *
 *   app=shop pick=best drawn=web-1:3/1,web-2:0/0 queue=0 tries=1 pin=none
 *
 * drawn    who was compared in the last choice: requests in flight at that moment, and the handicap; as many as fit
 * queue    ms that it waited, hold and pause included
 * tries    backends that it was sent to, or was to be
 */
#include "lease.h"

enum { KIT_TELL_BYTES = 768 };

/** From now on its choices are noted, if its client may know. */
void kit_tell_begin(kit_lease_t *lease, const weir_request_t *request);
/** How many bytes it has written; 0: its client may not know. */
size_t kit_tell_write(const kit_lease_t *lease, char out[static KIT_TELL_BYTES]);

#endif
