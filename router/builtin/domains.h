/* SPDX-License-Identifier: MIT */
#ifndef WEIR_ROUTER_BUILTIN_DOMAINS_H
#define WEIR_ROUTER_BUILTIN_DOMAINS_H
/**
 * @file  Which group a domain name stands for: exact names, "*.suffix" of any depth, "*". The table router's own.
 *
 * One lookup reads the name once, whatever the number of domains. The most specific entry wins: the exact name, then the
 * longest suffix, then "*". Letters of either case are equal.
 */
#include "weir_types.h"

enum { DOMAIN_BYTES = 255 };

typedef struct domain {
    char *name; /* lower-case; ".shop.example" of "*.shop.example"; NULL: a free place */
    uint32_t hash;
    uint32_t length;
    weir_group_t *group;
} domain_t;

/** Zeroed, it is empty. */
typedef struct domains {
    domain_t *at;
    size_t count, capacity; /* a power of two, at least twice the count */
    weir_group_t *catch_all;
} domains_t;

/** Whether `text` may be added: a name, "*.name" or "*". */
bool domain_is_valid(const char *text);

/** Adds a valid one. Returns the group that has it already, else NULL. */
weir_group_t *domains_add(domains_t *domains, const char *text, weir_group_t *group);

/** The group of a host in lower case and without port, or NULL. */
weir_group_t *domains_find(const domains_t *domains, weir_span_t host);

void domains_finish(domains_t *domains);

#endif
