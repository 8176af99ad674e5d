/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_AFFINITY_H
#define WEIR_KIT_AFFINITY_H
/**
 * @file  The values of cookies that keep a browser with its member: what stands in them, and who may have written them.
 *
 * A value is 38 bytes in base64url without padding, 51 characters: version 1 (1 byte) · number of the key (1) · minutes since
 * the epoch when it was issued (4, big-endian) · member id (8) · session key (8) · MAC (16). Whatever a client sends is read
 * without harm, and believed only if somebody with the keys has written it for this app.
 *
 * THREAD   Any; plain functions, no memory is taken.
 */
#include "affinity_keys.h"
#include "weir_types.h"

enum {
    KIT_AFFINITY_BYTES = 38,
    KIT_AFFINITY_TEXT_BYTES = 51,
    KIT_AFFINITY_VALUES_MOST = 16, /* of one name that are looked at in a header: each costs a digest */
};

/**
 * The secret id of a member, equal on all machines with the same file:
 * HMAC-SHA256(id key, "weir-member-1\0" app "\0" id)[0..8).
 */
uint64_t kit_affinity_member(const kit_keys_t *keys, weir_span_t app, weir_span_t id);

/** What a cookie says. */
typedef struct kit_pin {
    uint64_t member;      /* as kit_affinity_member() says   */
    uint64_t session_key; /* random; kept when the pin moves */
    uint64_t issued_s;    /* since the epoch, whole minutes  */
    uint8_t key;          /* the number of the key that has signed it; only read */
} kit_pin_t;

/** Why a value is not believed; counted, never an error. In the order in which it is looked at. */
typedef enum kit_pin_fault {
    KIT_PIN_FINE,
    KIT_PIN_ABSENT,      /* there is no cookie of the name                                       */
    KIT_PIN_MALFORMED,   /* its length, a character, a bit beyond the 38 bytes, or the version   */
    KIT_PIN_UNKNOWN_KEY, /* or one that has ended                                                */
    KIT_PIN_FORGED,      /* written by somebody else, for another app, or changed under way      */
    KIT_PIN_TOO_OLD,     /* or issued more than five minutes in the future                       */
} kit_pin_fault_t;

/**
 * Reads a value. `max_age_s` 0: of any age; as a value says whole minutes only, it may be up to 59 s older. The MAC is
 * HMAC-SHA256(key, "weir-affinity-1\0" app "\0" bytes 0…21)[0..16), compared in constant time. *out is written only if it is
 * KIT_PIN_FINE.
 */
kit_pin_fault_t kit_affinity_read(const kit_keys_t *keys, weir_span_t app, weir_span_t value, uint64_t now_s,
                                  uint64_t max_age_s, kit_pin_t *out);

/**
 * The first believable one of all cookies of that name in a Cookie header's value (browsers may hold several), quoted or not.
 * If there is none: the fault of that which went furthest.
 */
kit_pin_fault_t kit_affinity_find(const kit_keys_t *keys, weir_span_t app, weir_span_t cookie_header, weir_span_t name,
                                  uint64_t now_s, uint64_t max_age_s, kit_pin_t *out);

/**
 * Writes a value: KIT_AFFINITY_TEXT_BYTES characters and a NUL. It is signed by the first key that is good when it is issued.
 * False, and an empty text: all have ended.
 */
bool kit_affinity_write(const kit_keys_t *keys, weir_span_t app, const kit_pin_t *pin, char out[KIT_AFFINITY_TEXT_BYTES + 1]);

#endif
