/* SPDX-License-Identifier: MIT */
#include "domains.h"

#include <stdlib.h>
#include <string.h>

#include "place.h"

enum { FIRST_CAPACITY = 64 };

/*
 * Names are hashed from their end (FNV-1a), so that one pass over a host gives the hash of every suffix of it.
 */
static const uint32_t hash_start = 2166136261u;

static uint32_t hash_more(uint32_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 16777619u;
}

/* Entries share their low bits more often than their high ones. */
static size_t place_of(const domains_t *domains, uint32_t hash)
{
    return (hash ^ hash >> 15) & (domains->capacity - 1);
}

static const domain_t *find(const domains_t *domains, const char *name, size_t length, uint32_t hash)
{
    size_t i = place_of(domains, hash);

    for (; domains->at[i].name != NULL; i = (i + 1) & (domains->capacity - 1)) {
        const domain_t *domain = &domains->at[i];
        if (domain->hash == hash && domain->length == length && memcmp(domain->name, name, length) == 0)
            return domain;
    }
    return NULL;
}

static void insert(domains_t *domains, domain_t domain)
{
    size_t i = place_of(domains, domain.hash);

    while (domains->at[i].name != NULL)
        i = (i + 1) & (domains->capacity - 1);
    domains->at[i] = domain;
    domains->count++;
}

static void grow(domains_t *domains)
{
    domains_t bigger = {.capacity = domains->capacity == 0 ? FIRST_CAPACITY : domains->capacity * 2};

    bigger.at = builtin_alloc(bigger.capacity, sizeof(*bigger.at));
    bigger.catch_all = domains->catch_all;
    for (size_t i = 0; i < domains->capacity; i++) {
        if (domains->at[i].name != NULL)
            insert(&bigger, domains->at[i]);
    }
    free(domains->at);
    *domains = bigger;
}

bool domain_is_valid(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length;

    if (strcmp(text, "*") == 0)
        return true;
    if (strncmp(text, "*.", 2) == 0)
        text += 2;
    length = strlen(text);
    if (length == 0 || length >= DOMAIN_BYTES - 1)
        return false;
    if (text[0] == '[')
        return text[length - 1] == ']' && strspn(text + 1, "0123456789abcdefABCDEF:.") == length - 2;
    return text[0] != '.' && strspn(text, letters) == length && strstr(text, "..") == NULL;
}

weir_group_t *domains_add(domains_t *domains, const char *text, weir_group_t *group)
{
    domain_t domain = {.hash = hash_start, .group = group};
    const domain_t *old;

    if (strcmp(text, "*") == 0) {
        weir_group_t *before = domains->catch_all;
        domains->catch_all = before != NULL ? before : group;
        return before;
    }
    if (text[0] == '*')
        text++;
    if (domains->count * 2 >= domains->capacity)
        grow(domains);

    domain.length = (uint32_t)strlen(text);
    domain.length -= domain.length > 1 && text[domain.length - 1] == '.'; /* the root's dot says nothing */
    domain.name = builtin_copy(text, domain.length);
    for (size_t i = domain.length; i-- > 0;) {
        char c = domain.name[i];
        domain.name[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        domain.hash = hash_more(domain.hash, domain.name[i]);
    }
    old = find(domains, domain.name, domain.length, domain.hash);
    if (old != NULL) {
        free(domain.name);
        return old->group;
    }
    insert(domains, domain);
    return NULL;
}

weir_group_t *domains_find(const domains_t *domains, weir_span_t host)
{
    const domain_t *best = NULL, *exact;
    uint32_t hash = hash_start;

    if (host.len > 1 && host.base[host.len - 1] == '.')
        host.len--;
    if (domains->count == 0 || host.len == 0 || host.len > DOMAIN_BYTES)
        return domains->catch_all;
    for (size_t i = host.len; i-- > 0;) {
        const domain_t *suffix;
        hash = hash_more(hash, host.base[i]);
        if (host.base[i] != '.' || i == 0)
            continue;
        suffix = find(domains, host.base + i, host.len - i, hash);
        best = suffix != NULL ? suffix : best;
    }
    exact = find(domains, host.base, host.len, hash);
    if (exact != NULL && host.base[0] != '.')
        return exact->group;
    return best != NULL ? best->group : domains->catch_all;
}

void domains_finish(domains_t *domains)
{
    for (size_t i = 0; i < domains->capacity; i++)
        free(domains->at[i].name);
    free(domains->at);
    *domains = (domains_t){NULL, 0, 0, NULL};
}
