/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_PIN_H
#define WEIR_KIT_PIN_H
/**
 * @file  Affinity: to which member a browser is pinned by its cookie, what becomes of the pin, and the cookie of the answer.
 *
 * THREAD   The request's.
 */
#include "affinity.h"
#include "lease.h"

/** A set's members by their secret ids: those that are pinned to are found by them. Made by the writer, read by any. */
typedef struct kit_pins {
    uint64_t version; /* of the ring whose keys made the ids */
    size_t count;
    struct {
        uint64_t id;
        weir_member_t *member;
    } at[]; /* in order of the ids */
} kit_pins_t;

kit_pins_t *kit_pins_create(const kit_keys_t *keys, weir_span_t app, weir_member_t *const *members, size_t count,
                            weir_member_t *const *leaving, size_t leaving_count);

/** Reads the request's cookie, once: which member it is to go to, or by which key to choose another. */
void kit_pin_look(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request);
/** What its cookie says, by the keys of `ring`. */
kit_pin_fault_t kit_pin_read(const kit_lease_t *lease, const kit_settings_t *settings, const kit_ring_t *ring,
                             const weir_request_t *request, kit_pin_t *out);
/** The member that a pin names; NULL: it has left. */
weir_member_t *kit_pin_member(const weir_set_t *set, const kit_pin_t *pin);
/** Whether the member that it waits for has left, or has fallen ill. */
bool kit_pin_leads_nowhere(const kit_lease_t *lease);
/** The member that it is pinned to is not to be had: chooses another one by the session's key. False: `strict` forbids it. */
bool kit_pin_let_go(kit_lease_t *lease, const kit_settings_t *settings);
/** The head is there, of the member that was picked: whether a cookie is to be written. */
void kit_pin_answered(kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request);
/** The same, as far as the answer's head says nothing against it. */
bool kit_pin_wants_cookie(const kit_lease_t *lease, const kit_settings_t *settings, const weir_request_t *request);
/** Adds the cookie to the answer. */
void kit_pin_write(kit_lease_t *lease, const weir_request_t *request, weir_header_sink_t *sink);
/** For logs; NULL: nothing to tell. */
const char *kit_pin_word(const kit_lease_t *lease);

#endif
