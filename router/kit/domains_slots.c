/* SPDX-License-Identifier: MIT */
#include "domains_slots.h"

#include <string.h>

#include "alloc.h"
#include "domains_pieces.h"
#include "domains_value.h"

/* Records are aligned to 8, so that neither of the two words without a record looks like one. */
enum { FREE = 0, GRAVE = 1, FIRST_CAPACITY = 16, LINE_BYTES = 64 };

struct kit_slot_array {
    size_t capacity; /* a power of two */
    unsigned shift;  /* what is left of a hash behind it is a place */
    _Alignas(LINE_BYTES) _Atomic uint64_t at[];
};

static size_t bytes_of(size_t capacity)
{
    return sizeof(kit_slot_array_t) + capacity * sizeof(uint64_t);
}

static kit_slot_array_t *array_create(size_t capacity)
{
    kit_slot_array_t *array = kit_large_alloc(bytes_of(capacity));

    memset(array, 0, bytes_of(capacity));
    array->capacity = capacity;
    for (array->shift = 64; capacity > 1; capacity /= 2)
        array->shift--;
    return array;
}

static kit_slot_array_t *array_of(const kit_slots_t *slots)
{
    return atomic_load_explicit(&slots->array, memory_order_relaxed); /* the writer's own */
}

/* The highest 16 bits are in the word; the next ones choose it. */
static size_t place_of(const kit_slot_array_t *array, uint64_t hash)
{
    return (size_t)(hash << 16 >> array->shift);
}

static size_t next_of(const kit_slot_array_t *array, size_t place)
{
    return (place + 1) & (array->capacity - 1);
}

static uint64_t word_of(const kit_domain_t *record, uint64_t hash)
{
    uint64_t pointer = (uint64_t)(uintptr_t)record;

    if ((pointer & ~KIT_POINTER_BITS) != 0)
        abort(); /* addresses beyond 48 bits have to be asked for, and nobody does */
    return (hash & ~KIT_POINTER_BITS) | pointer;
}

static kit_domain_t *record_of(uint64_t word)
{
    return word == GRAVE ? NULL : (kit_domain_t *)(uintptr_t)(word & KIT_POINTER_BITS);
}

uint64_t kit_hash_of(kit_hash_key_t key, weir_span_t name)
{
    uint64_t hash = key.start;

    for (size_t i = name.len; i-- > 0;)
        hash = kit_hash_more(key, hash, name.base[i]);
    return hash;
}

static uint64_t hash_of(kit_hash_key_t key, const kit_domain_t *record)
{
    size_t length = kit_domain_length(atomic_load_explicit(&record->value, memory_order_relaxed));

    return kit_hash_of(key, (weir_span_t){record->name, length});
}

kit_domain_t *kit_slots_find(const kit_slots_t *slots, weir_span_t name, uint64_t hash, uint64_t *out_value)
{
    const kit_slot_array_t *array = atomic_load_explicit(&slots->array, memory_order_acquire);

    if (array == NULL)
        return NULL;
    for (size_t i = place_of(array, hash);; i = next_of(array, i)) {
        uint64_t word = atomic_load_explicit(&array->at[i], memory_order_acquire), value;
        kit_domain_t *record;

        if (word == FREE)
            return NULL;
        if (((word ^ hash) & ~KIT_POINTER_BITS) != 0 || (record = record_of(word)) == NULL)
            continue;
        value = atomic_load_explicit(&record->value, memory_order_acquire);
        if (kit_domain_length(value) != name.len || memcmp(record->name, name.base, name.len) != 0)
            continue;
        *out_value = value;
        return record;
    }
}

/* Into an array that no reader sees yet. */
static void move_record(kit_slot_array_t *to, uint64_t word, uint64_t hash)
{
    size_t i = place_of(to, hash);

    while (atomic_load_explicit(&to->at[i], memory_order_relaxed) != FREE)
        i = next_of(to, i);
    atomic_store_explicit(&to->at[i], word, memory_order_relaxed);
}

/* Readers of the old array find in it what it held, until they look for the array again. */
static void rebuild(kit_slots_t *slots, size_t capacity, kit_hash_key_t key, kit_retire_t *retire)
{
    kit_slot_array_t *old = array_of(slots), *fresh = slots->count > 0 ? array_create(capacity) : NULL;

    for (size_t i = 0; fresh != NULL && i < old->capacity; i++) {
        uint64_t word = atomic_load_explicit(&old->at[i], memory_order_relaxed);
        if (word != FREE && word != GRAVE)
            move_record(fresh, word, hash_of(key, record_of(word)));
    }
    slots->graves = 0;
    atomic_store_explicit(&slots->array, fresh, memory_order_release);
    retire(old, free);
}

/* Twice as many words also where graves have filled it: else a name that comes and goes would have it rebuilt each time. */
static void make_room(kit_slots_t *slots, kit_hash_key_t key, kit_retire_t *retire)
{
    kit_slot_array_t *array = array_of(slots);

    if (array == NULL)
        atomic_store_explicit(&slots->array, array_create(FIRST_CAPACITY), memory_order_release);
    else if ((slots->count + slots->graves + 1) * 3 > array->capacity * 2)
        rebuild(slots, array->capacity * 2, key, retire);
}

void kit_slots_add(kit_slots_t *slots, kit_domain_t *record, kit_hash_key_t key, kit_retire_t *retire)
{
    uint64_t hash = hash_of(key, record), word;
    kit_slot_array_t *array;
    size_t i;

    make_room(slots, key, retire);
    array = array_of(slots);
    for (i = place_of(array, hash);; i = next_of(array, i)) {
        word = atomic_load_explicit(&array->at[i], memory_order_relaxed);
        if (word == FREE || word == GRAVE)
            break;
    }
    slots->graves -= word == GRAVE;
    slots->count++;
    atomic_store_explicit(&array->at[i], word_of(record, hash), memory_order_release);
}

/* A grave before a free word is of no use: a search that passes it ends there. So are those before it. */
static void clear_graves(kit_slots_t *slots, kit_slot_array_t *array, size_t place)
{
    if (atomic_load_explicit(&array->at[next_of(array, place)], memory_order_relaxed) != FREE)
        return;
    while (atomic_load_explicit(&array->at[place], memory_order_relaxed) == GRAVE) {
        atomic_store_explicit(&array->at[place], FREE, memory_order_release);
        slots->graves--;
        place = (place - 1) & (array->capacity - 1);
    }
}

/* What few records are left does not keep the room of many, nor do graves make searches long. */
static void give_room(kit_slots_t *slots, kit_hash_key_t key, kit_retire_t *retire)
{
    size_t capacity = array_of(slots)->capacity;

    if (slots->count == 0)
        rebuild(slots, 0, key, retire);
    else if (capacity > FIRST_CAPACITY && slots->count * 8 < capacity)
        rebuild(slots, capacity / 2, key, retire);
    else if (slots->graves * 8 > capacity)
        rebuild(slots, capacity, key, retire);
}

void kit_slots_remove(kit_slots_t *slots, kit_domain_t *record, kit_hash_key_t key, kit_retire_t *retire)
{
    kit_slot_array_t *array = array_of(slots);
    uint64_t hash = hash_of(key, record), word = word_of(record, hash);
    size_t i = place_of(array, hash);

    while (atomic_load_explicit(&array->at[i], memory_order_relaxed) != word)
        i = next_of(array, i);
    atomic_store_explicit(&array->at[i], GRAVE, memory_order_release);
    slots->count--;
    slots->graves++;
    clear_graves(slots, array, i);
    give_room(slots, key, retire);
}

size_t kit_slots_memory_bytes(const kit_slots_t *slots)
{
    const kit_slot_array_t *array = array_of(slots);

    return array != NULL ? bytes_of(array->capacity) : 0;
}

void kit_slots_each(const kit_slots_t *slots, void (*visit)(void *context, kit_domain_t *record), void *context)
{
    const kit_slot_array_t *array = array_of(slots);

    for (size_t i = 0; array != NULL && i < array->capacity; i++) {
        kit_domain_t *record = record_of(atomic_load_explicit(&array->at[i], memory_order_relaxed));
        if (record != NULL)
            visit(context, record);
    }
}

void kit_slots_finish(kit_slots_t *slots)
{
    free(array_of(slots));
    atomic_init(&slots->array, NULL);
    slots->count = slots->graves = 0;
}
