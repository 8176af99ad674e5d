/* SPDX-License-Identifier: MIT */
#include "domains.h"

#include <string.h>
#include <sys/random.h>

#include "alloc.h"
#include "domains_entry.h"
#include "domains_pieces.h"
#include "domains_slots.h"
#include "domains_value.h"

struct kit_domains {
    kit_slots_t names, suffixes; /* of suffixes: ".shop.example" */
    _Atomic uint64_t any;        /* what "*" stands for; domains_value.h */
    kit_hash_key_t key;

    /* The writer's. */
    kit_retire_t *retire;
    size_t list_bytes;
    kit_pieces_t pieces;

    /* The writer's, for everybody to see. */
    atomic_size_t count, memory_bytes;
};

/* The suffixes of a host: where their dots are, and their hashes. */
typedef struct suffix_marks {
    size_t count;
    uint8_t at[KIT_DOMAIN_BYTES];
    uint64_t hashes[KIT_DOMAIN_BYTES];
} suffix_marks_t;

/* ---- reading ---- */

static kit_found_t found_in(uint64_t value, weir_span_t path, kit_match_t match)
{
    kit_found_t found;

    found.app = kit_value_find(value, path, &found.prefix_bytes);
    found.match = found.app != NULL ? match : KIT_MATCH_NONE;
    found.name_bytes = 0;
    return found;
}

static kit_found_t find_in(const kit_slots_t *slots, weir_span_t name, uint64_t hash, weir_span_t path, kit_match_t match)
{
    uint64_t value;

    if (kit_slots_find(slots, name, hash, &value) == NULL)
        return (kit_found_t){NULL, KIT_MATCH_NONE, 0, 0};
    kit_found_t found = found_in(value, path, match);
    found.name_bytes = (uint16_t)name.len;
    return found;
}

/* A suffix has something before it: a dot at the beginning is none. */
static uint64_t hash_with_marks(kit_hash_key_t key, weir_span_t host, suffix_marks_t *marks)
{
    uint64_t hash = key.start;

    marks->count = 0;
    for (size_t i = host.len; i-- > 0;) {
        hash = kit_hash_more(key, hash, host.base[i]);
        if (host.base[i] != '.' || i == 0)
            continue;
        marks->at[marks->count] = (uint8_t)i;
        marks->hashes[marks->count++] = hash;
    }
    return hash;
}

static kit_found_t find_with_suffixes(const kit_domains_t *domains, weir_span_t host, weir_span_t path)
{
    suffix_marks_t marks;
    uint64_t hash = hash_with_marks(domains->key, host, &marks);
    kit_found_t found = find_in(&domains->names, host, hash, path, KIT_MATCH_EXACT);

    while (found.app == NULL && marks.count-- > 0) {
        size_t at = marks.at[marks.count];
        weir_span_t suffix = {host.base + at, host.len - at};
        found = find_in(&domains->suffixes, suffix, marks.hashes[marks.count], path, KIT_MATCH_SUFFIX);
    }
    return found;
}

const char *kit_match_word(kit_match_t match)
{
    static const char *const words[] = {"none", "exact", "suffix", "any"};

    return words[match];
}

kit_found_t kit_domains_find(const kit_domains_t *domains, weir_span_t host, weir_span_t path)
{
    kit_found_t found = {NULL, KIT_MATCH_NONE, 0, 0};

    if (host.len > 1 && host.base[host.len - 1] == '.')
        host.len--;
    if (host.len > 0 && host.len <= KIT_DOMAIN_BYTES) {
        if (atomic_load_explicit(&domains->suffixes.array, memory_order_relaxed) == NULL)
            found = find_in(&domains->names, host, kit_hash_of(domains->key, host), path, KIT_MATCH_EXACT);
        else
            found = find_with_suffixes(domains, host, path);
    }
    if (found.app != NULL)
        return found;
    return found_in(atomic_load_explicit(&domains->any, memory_order_acquire), path, KIT_MATCH_ANY);
}

size_t kit_domains_count(const kit_domains_t *domains)
{
    return atomic_load_explicit(&domains->count, memory_order_relaxed);
}

size_t kit_domains_memory_bytes(const kit_domains_t *domains)
{
    return atomic_load_explicit(&domains->memory_bytes, memory_order_relaxed);
}

/* ---- changing ---- */

/* Where an entry stands, or would stand. */
typedef struct place {
    kit_slots_t *slots;   /* NULL: "*" */
    kit_domain_t *record; /* NULL: "*", or there is no such domain */
    uint64_t value;       /* 0: nothing */
} place_t;

static place_t place_of(kit_domains_t *domains, const kit_entry_t *entry)
{
    weir_span_t name = {entry->name, entry->length};
    place_t place = {0};

    if (entry->match == KIT_MATCH_ANY) {
        place.value = atomic_load_explicit(&domains->any, memory_order_relaxed);
        return place;
    }
    place.slots = entry->match == KIT_MATCH_EXACT ? &domains->names : &domains->suffixes;
    place.record = kit_slots_find(place.slots, name, kit_hash_of(domains->key, name), &place.value);
    return place;
}

static void record_add(kit_domains_t *domains, kit_slots_t *slots, const kit_entry_t *entry, uint64_t value)
{
    kit_domain_t *record = kit_pieces_take(&domains->pieces, sizeof(*record) + entry->length);

    atomic_init(&record->value, value);
    memcpy(record->name, entry->name, entry->length);
    kit_slots_add(slots, record, domains->key, domains->retire);
}

static void record_remove(kit_domains_t *domains, place_t place)
{
    kit_slots_remove(place.slots, place.record, domains->key, domains->retire);
    kit_pieces_give_back(&domains->pieces, place.record, sizeof(*place.record) + kit_domain_length(place.value));
}

/* One store, whatever has changed. */
static void publish(kit_domains_t *domains, place_t place, const kit_entry_t *entry, uint64_t value)
{
    uint64_t word = value | (uint64_t)entry->length << 48;

    if (place.slots == NULL)
        atomic_store_explicit(&domains->any, word, memory_order_release);
    else if (place.record == NULL)
        record_add(domains, place.slots, entry, word);
    else if (value == 0)
        record_remove(domains, place);
    else
        atomic_store_explicit(&place.record->value, word, memory_order_release);
}

static void reckon_memory(kit_domains_t *domains)
{
    size_t bytes = sizeof(*domains) + domains->pieces.bytes + domains->list_bytes;

    bytes += kit_slots_memory_bytes(&domains->names) + kit_slots_memory_bytes(&domains->suffixes);
    atomic_store_explicit(&domains->memory_bytes, bytes, memory_order_relaxed);
}

/* Has the entry stand for `app`; NULL: for nothing. */
static void change(kit_domains_t *domains, const kit_entry_t *entry, place_t place, void *app)
{
    uint64_t value = kit_value_with(place.value, entry->prefix, app);
    size_t old_bytes, new_bytes;
    void *old = kit_value_memory(place.value, &old_bytes);

    (void)kit_value_memory(value, &new_bytes);
    publish(domains, place, entry, value);
    if (old != NULL)
        domains->retire(old, free);
    domains->list_bytes += new_bytes - old_bytes;
    reckon_memory(domains);
}

static void count_more(kit_domains_t *domains, size_t more)
{
    atomic_store_explicit(&domains->count, kit_domains_count(domains) + more, memory_order_relaxed);
}

void *kit_domains_add(kit_domains_t *domains, weir_span_t entry, void *app, bool *out_is_full)
{
    kit_entry_t parts;
    place_t place;
    void *has_it;

    *out_is_full = false;
    kit_entry_read(entry, &parts);
    place = place_of(domains, &parts);
    has_it = kit_value_at(place.value, parts.prefix);
    if (has_it != NULL)
        return has_it;
    *out_is_full = parts.prefix.len > 0 && kit_value_prefix_count(place.value) == KIT_PREFIXES_MOST;
    if (*out_is_full)
        return NULL;
    change(domains, &parts, place, app);
    count_more(domains, 1);
    return NULL;
}

void *kit_domains_remove(kit_domains_t *domains, weir_span_t entry)
{
    kit_entry_t parts;
    place_t place;
    void *had_it;

    kit_entry_read(entry, &parts);
    place = place_of(domains, &parts);
    had_it = kit_value_at(place.value, parts.prefix);
    if (had_it == NULL)
        return NULL;
    change(domains, &parts, place, NULL);
    count_more(domains, (size_t)-1);
    return had_it;
}

bool kit_domains_move(kit_domains_t *domains, weir_span_t entry, void *app)
{
    kit_entry_t parts;
    place_t place;

    kit_entry_read(entry, &parts);
    place = place_of(domains, &parts);
    if (kit_value_at(place.value, parts.prefix) == NULL)
        return false;
    change(domains, &parts, place, app);
    return true;
}

void *kit_domains_owner(kit_domains_t *domains, weir_span_t entry)
{
    kit_entry_t parts;

    kit_entry_read(entry, &parts);
    return kit_value_at(place_of(domains, &parts).value, parts.prefix);
}

bool kit_domains_has_room(kit_domains_t *domains, weir_span_t entry)
{
    kit_entry_t parts;

    kit_entry_read(entry, &parts);
    return parts.prefix.len == 0 || kit_value_prefix_count(place_of(domains, &parts).value) < KIT_PREFIXES_MOST;
}

/* ---- all of them ---- */

typedef struct visit {
    void (*visit)(void *context, weir_span_t entry, void *app);
    void *context;
    size_t name_bytes;
    bool is_suffix;
    char text[KIT_ENTRY_BYTES];
} visit_t;

static void visit_prefix(void *context, weir_span_t prefix, void *app)
{
    visit_t *it = context;

    memcpy(it->text + it->name_bytes, prefix.base, prefix.len);
    it->visit(it->context, (weir_span_t){it->text, it->name_bytes + prefix.len}, app);
}

static void visit_record(void *context, kit_domain_t *record)
{
    const uint64_t value = atomic_load_explicit(&record->value, memory_order_relaxed);
    visit_t *it = context;

    memcpy(it->text + it->is_suffix, record->name, kit_domain_length(value));
    it->name_bytes = it->is_suffix + kit_domain_length(value);
    kit_value_each(value, visit_prefix, it);
}

void kit_domains_each(kit_domains_t *domains, void (*visit)(void *context, weir_span_t entry, void *app), void *context)
{
    visit_t it = {.visit = visit, .context = context, .name_bytes = 1, .text = "*"};

    kit_value_each(atomic_load_explicit(&domains->any, memory_order_relaxed), visit_prefix, &it);
    it.is_suffix = true;
    kit_slots_each(&domains->suffixes, visit_record, &it);
    it.is_suffix = false;
    kit_slots_each(&domains->names, visit_record, &it);
}

/* ---- life ---- */

static void fill_with_dice(void *memory, size_t bytes)
{
    if (getrandom(memory, bytes, 0) != (ssize_t)bytes)
        abort();
}

kit_domains_t *kit_domains_create(kit_retire_t *retire)
{
    kit_domains_t *domains = kit_alloc(1, sizeof(*domains));

    fill_with_dice(&domains->key, sizeof(domains->key));
    domains->key.factor |= 1; /* an even one would lose what was hashed before */
    domains->retire = retire;
    kit_pieces_init(&domains->pieces, retire);
    reckon_memory(domains);
    return domains;
}

static void free_list(uint64_t value)
{
    size_t bytes;

    free(kit_value_memory(value, &bytes));
}

static void free_list_of(void *unused, kit_domain_t *record)
{
    free_list(atomic_load_explicit(&record->value, memory_order_relaxed));
}

void kit_domains_destroy(kit_domains_t **domains)
{
    kit_domains_t *gone = *domains;

    *domains = NULL;
    if (gone == NULL)
        return;
    free_list(atomic_load_explicit(&gone->any, memory_order_relaxed));
    kit_slots_each(&gone->names, free_list_of, NULL);
    kit_slots_each(&gone->suffixes, free_list_of, NULL);
    kit_slots_finish(&gone->names);
    kit_slots_finish(&gone->suffixes);
    kit_pieces_finish(&gone->pieces);
    free(gone);
}
