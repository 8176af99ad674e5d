/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/resolver.h"

#include <netdb.h>
#include <stdlib.h>

#include <h2o.h>
#include <h2o/hostinfo.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/wire/loop/loop.h"

enum { BUCKETS = 256 };

typedef struct resolved_name {
    weir_list_t link;   /* in its bucket          */
    weir_list_t in_use; /* the least recently used first */
    weir_list_t waiting;
    weir_loop_t *loop;
    h2o_hostinfo_getaddr_req_t *request; /* under way, or NULL */
    uint64_t known_at_us;                /* 0: never answered   */
    bool has_failed;
    size_t count, next;
    struct sockaddr_storage addresses[WEIR_RESOLVER_ADDRESSES_MAX];
    socklen_t lengths[WEIR_RESOLVER_ADDRESSES_MAX];
    size_t name_len;
    char name[];
} resolved_name_t;

struct weir_resolver {
    weir_loop_t *loop;
    weir_list_t buckets[BUCKETS];
    weir_list_t in_use;
    size_t count;
};

struct weir_resolver *weir_resolver_create(weir_loop_t *loop)
{
    struct weir_resolver *resolver = calloc(1, sizeof(*resolver));

    WEIR_MUST(resolver != NULL);
    resolver->loop = loop;
    weir_list_init(&resolver->in_use);
    for (size_t i = 0; i < BUCKETS; i++)
        weir_list_init(&resolver->buckets[i]);
    return resolver;
}

static void forget(struct weir_resolver *resolver, resolved_name_t *known)
{
    if (known->request != NULL)
        h2o_hostinfo_getaddr_cancel(known->request);
    weir_list_remove(&known->link);
    weir_list_remove(&known->in_use);
    resolver->count--;
    free(known);
}

void weir_resolver_destroy(struct weir_resolver **resolver)
{
    struct weir_resolver *gone = *resolver;

    if (gone == NULL)
        return;
    *resolver = NULL;
    while (!weir_list_is_empty(&gone->in_use))
        forget(gone, WEIR_AROUND(gone->in_use.next, resolved_name_t, in_use));
    free(gone);
}

static void set_port(struct sockaddr *address, uint16_t port)
{
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
}

static void keep_addresses(resolved_name_t *known, const struct addrinfo *found)
{
    known->count = known->next = 0;
    for (; found != NULL && known->count < WEIR_RESOLVER_ADDRESSES_MAX; found = found->ai_next) {
        if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
            continue;
        memset(&known->addresses[known->count], 0, sizeof(known->addresses[0]));
        memcpy(&known->addresses[known->count], found->ai_addr, found->ai_addrlen);
        known->lengths[known->count++] = found->ai_addrlen;
    }
}

/* A name that fails on refresh keeps its old addresses: a resolver that is down must not take the backends with it. */
static void on_answer(h2o_hostinfo_getaddr_req_t *request, const char *error, struct addrinfo *found, void *arg)
{
    resolved_name_t *known = arg;

    weir_loop_tick(known->loop);
    known->request = NULL;
    known->known_at_us = weir_loop_now_us(known->loop);
    known->has_failed = error != NULL;
    if (error == NULL)
        keep_addresses(known, found);
    while (!weir_list_is_empty(&known->waiting)) {
        weir_resolver_wait_t *wait = WEIR_AROUND(known->waiting.next, weir_resolver_wait_t, link);
        weir_list_remove(&wait->link);
        wait->on_known(wait);
    }
}

static weir_list_t *bucket_of(struct weir_resolver *resolver, weir_span_t name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)weir_lower(name.base[i])) * 16777619u;
    return &resolver->buckets[hash % BUCKETS];
}

static void make_room(struct weir_resolver *resolver)
{
    for (weir_list_t *node = resolver->in_use.next; node != &resolver->in_use; node = node->next) {
        resolved_name_t *known = WEIR_AROUND(node, resolved_name_t, in_use);
        if (!weir_list_is_empty(&known->waiting))
            continue;
        forget(resolver, known);
        return;
    }
}

static resolved_name_t *find(struct weir_resolver *resolver, weir_span_t name)
{
    weir_list_t *bucket = bucket_of(resolver, name);

    for (weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        resolved_name_t *known = WEIR_AROUND(node, resolved_name_t, link);
        if (weir_equal_nocase((weir_span_t){known->name, known->name_len}, name))
            return known;
    }
    if (resolver->count >= WEIR_RESOLVER_NAMES_MAX)
        make_room(resolver);
    resolved_name_t *fresh = calloc(1, sizeof(*fresh) + name.len + 1);
    WEIR_MUST(fresh != NULL);
    fresh->loop = resolver->loop;
    fresh->name_len = name.len;
    memcpy(fresh->name, name.base, name.len);
    weir_list_init(&fresh->waiting);
    weir_list_init(&fresh->in_use);
    weir_list_append(bucket, &fresh->link);
    resolver->count++;
    return fresh;
}

static void start(struct weir_resolver *resolver, resolved_name_t *known)
{
    if (known->request != NULL)
        return;
    known->request = h2o_hostinfo_getaddr(&resolver->loop->h2o.names, h2o_iovec_init(known->name, known->name_len),
                                          h2o_iovec_init(H2O_STRLIT("0")), AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP, AI_NUMERICSERV,
                                          on_answer, known);
}

weir_resolution_t weir_resolver_ask(struct weir_resolver *resolver, weir_target_t *target, weir_resolver_wait_t *wait,
                                    size_t *out_count)
{
    resolved_name_t *known = find(resolver, target->name);

    weir_list_remove(&known->in_use);
    weir_list_append(&resolver->in_use, &known->in_use);
    uint64_t age_us = weir_loop_now_us(resolver->loop) - known->known_at_us;
    uint64_t limit_ms = known->has_failed ? WEIR_RESOLVER_FAILED_MS : WEIR_RESOLVER_FRESH_MS;
    if (known->known_at_us == 0 || age_us > limit_ms * 1000)
        start(resolver, known);
    if (known->count > 0) {
        size_t chosen = known->next++ % known->count;
        memcpy(&target->address, &known->addresses[chosen], known->lengths[chosen]);
        target->address_len = known->lengths[chosen];
        set_port(&target->address.any, target->port);
        target->kind = WEIR_TARGET_ADDRESS;
        *out_count = known->count;
        return WEIR_RESOLVED;
    }
    if (known->request == NULL)
        return WEIR_UNRESOLVED;
    weir_list_init(&wait->link);
    weir_list_append(&known->waiting, &wait->link);
    return WEIR_RESOLVING;
}

void weir_resolver_cancel(weir_resolver_wait_t *wait)
{
    if (wait->link.next != NULL)
        weir_list_remove(&wait->link);
}
