/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DOMAINS_SLOTS_H
#define WEIR_KIT_DOMAINS_SLOTS_H
/**
 * @file  Records found by their names: open addressing in one array of words, each 16 bits of a name's hash and 48 of a
 * pointer. At most two thirds of the words are used, so that most names are found in the first or second they could stand in.
 *
 * OWNER    The table of domains. Records are the caller's.
 * THREAD   kit_slots_find(): any. All others: the writer's.
 */
#include <stdatomic.h>

#include "domains.h"

/** One name. It never changes; what it stands for does, in one store. */
typedef struct kit_domain {
    _Atomic uint64_t value; /* domains_value.h; the name's length in bits 48 to 55 */
    char name[];
} kit_domain_t;

/** What names are hashed with: secrets of the table, for who chooses names must not choose their places. The factor is odd. */
typedef struct kit_hash_key {
    uint64_t start, factor;
} kit_hash_key_t;

typedef struct kit_slot_array kit_slot_array_t;

typedef struct kit_slots {
    _Atomic(kit_slot_array_t *) array; /* NULL: there are no records */
    size_t count;                      /* of records */
    size_t graves;                     /* words whose records have gone, but which searches must pass */
} kit_slots_t;

static inline size_t kit_domain_length(uint64_t value)
{
    return value >> 48 & 0xff;
}

/** A name's hash grows from its end, letter by letter: on the way, it is the hash of every suffix. Its high bits are good. */
static inline uint64_t kit_hash_more(kit_hash_key_t key, uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * key.factor;
}

uint64_t kit_hash_of(kit_hash_key_t key, weir_span_t name);

/** The record of a name, or NULL. *out_value, of a record: what it stood for when it was found, loaded once. */
kit_domain_t *kit_slots_find(const kit_slots_t *slots, weir_span_t name, uint64_t hash, uint64_t *out_value);

/** Adds a record whose name is not there. */
void kit_slots_add(kit_slots_t *slots, kit_domain_t *record, kit_hash_key_t key, kit_retire_t *retire);
/** Takes one out that is there. The caller gives its memory back afterwards. */
void kit_slots_remove(kit_slots_t *slots, kit_domain_t *record, kit_hash_key_t key, kit_retire_t *retire);

size_t kit_slots_memory_bytes(const kit_slots_t *slots);
/** Nobody reads any more. Records with lists of prefixes are to be freed before: kit_slots_each(). */
void kit_slots_finish(kit_slots_t *slots);
void kit_slots_each(const kit_slots_t *slots, void (*visit)(void *context, kit_domain_t *record), void *context);

#endif
