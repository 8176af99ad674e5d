/* SPDX-License-Identifier: MIT */
#ifndef WEIR_KIT_DOMAINS_H
#define WEIR_KIT_DOMAINS_H
/**
 * @file  Which app a host and a path stand for: exact names, the longest "*.suffix", "*"; then the longest prefix of whole path
 * segments ("shop.example/api"). Letters of either case are equal in names; paths are compared as they are.
 *
 * One lookup reads the name once and, as a rule, one slot of a table, whatever the number of domains. Readers take no lock: a
 * change is one atomic store, growth publishes another table, and what is no longer reachable is retired.
 *
 * OWNER    Who creates it.
 * THREAD   Finding: any, which is a reader (weir_retire.h) until it has left what it found. Count and memory: any.
 *          Changes: one at a time.
 */
#include "weir_types.h"

enum {
    KIT_DOMAIN_BYTES = 255,
    KIT_PREFIX_BYTES = 1024,
    KIT_ENTRY_BYTES = KIT_DOMAIN_BYTES + 1 + KIT_PREFIX_BYTES + 1, /* "*" before it, a NUL behind it */
    KIT_PREFIXES_MOST = 64,                                        /* of one domain */
};

typedef struct kit_domains kit_domains_t;

/** How memory that readers may still look at is let go of: weir_retire(), or a test's own. */
typedef void kit_retire_t(void *memory, void (*release)(void *memory));

/** Empty. Never NULL. The seed of its hash is random: tenants choose names. */
kit_domains_t *kit_domains_create(kit_retire_t *retire);
/** Nobody reads any more. Nulls the pointer; harmless on NULL. */
void kit_domains_destroy(kit_domains_t **domains);

/**
 * What is wrong with an entry ("name", "*.name", "*", each with or without "/prefix"); NULL: nothing. Static text. A dot at the
 * end of the name says nothing, nor does a slash at the end of the prefix: "name/" is "name".
 */
const char *kit_domains_problem(weir_span_t entry);

/** A valid entry as it is listed: its name in lower case, nothing at its ends that says nothing. NUL-terminated. */
void kit_domain_text(weir_span_t entry, char text[static KIT_ENTRY_BYTES]);

/**
 * Adds a valid entry, which stands for `app` (not NULL, 48 bits: others abort) from now on. Returns the app that has it
 * already, and changes nothing then; else NULL. *out_is_full: the domain has KIT_PREFIXES_MOST prefixes, nothing was added.
 */
void *kit_domains_add(kit_domains_t *domains, weir_span_t entry, void *app, bool *out_is_full);
/** Removes an entry. The app that had it, or NULL: there was none. */
void *kit_domains_remove(kit_domains_t *domains, weir_span_t entry);
/** Has an entry stand for another app, in one step. False: there is none such. */
bool kit_domains_move(kit_domains_t *domains, weir_span_t entry, void *app);

/** Whose an entry is; NULL: nobody's. The writer's. */
void *kit_domains_owner(kit_domains_t *domains, weir_span_t entry);
/** Whether another prefix may be added to the domain of this entry. The writer's. */
bool kit_domains_has_room(kit_domains_t *domains, weir_span_t entry);
/** Each entry, in no order that tells anything. `entry` is borrowed until visit() returns. The writer's. */
void kit_domains_each(kit_domains_t *domains, void (*visit)(void *context, weir_span_t entry, void *app), void *context);

/** What was found, for logs and `explain`. */
typedef enum kit_match { KIT_MATCH_NONE, KIT_MATCH_EXACT, KIT_MATCH_SUFFIX, KIT_MATCH_ANY } kit_match_t;
typedef struct kit_found {
    void *app; /* NULL: none */
    kit_match_t match;
    uint16_t prefix_bytes; /* of the path; 0: none */
    uint16_t name_bytes;   /* of the host's end: what is equal with the name, of "*.shop.example" with its dot */
} kit_found_t;

/** none, exact, suffix, any. */
const char *kit_match_word(kit_match_t match);

/**
 * The app of a host, in lower case and without port, and a path. A trailing dot of the host says nothing; empty or longer than
 * KIT_DOMAIN_BYTES: only "*" can be found. The path may have its query with it: a prefix ends where the path does, or before
 * "/", "?" or "#". A domain with prefixes only and none of which fits is as if it were not there: the next less specific one is
 * looked at.
 */
kit_found_t kit_domains_find(const kit_domains_t *domains, weir_span_t host, weir_span_t path);

/** How many entries there are, and how many bytes of memory; what is retired is not among them. */
size_t kit_domains_count(const kit_domains_t *domains);
size_t kit_domains_memory_bytes(const kit_domains_t *domains);

#endif
