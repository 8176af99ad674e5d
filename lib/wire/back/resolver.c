/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/resolver.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/wire/back/names.h"
#include "lib/wire/loop/loop.h"

enum { BUCKETS = 256 };

typedef struct local_name {
    weir_list_t link;   /* in its bucket          */
    weir_list_t in_use; /* the least recently used first */
    weir_list_t waiting;
    weir_addresses_t *known; /* held; NULL: nothing yet */
    bool is_asking;
    size_t turn;
    size_t name_len;
    char name[];
} local_name_t;

struct weir_resolver {
    weir_names_user_t user;
    weir_loop_t *loop;
    weir_list_t buckets[BUCKETS];
    weir_list_t in_use;
    size_t count;
};

/* ---- addresses ---- */

static weir_addresses_t *hold(weir_addresses_t *addresses)
{
    addresses->holders++;
    return addresses;
}

static void release(weir_addresses_t **held)
{
    weir_addresses_t *addresses = *held;

    *held = NULL;
    if (addresses != NULL && --addresses->holders == 0)
        free(addresses);
}

static bool holds(const weir_addresses_t *addresses, const weir_name_address_t *address)
{
    for (size_t i = 0; addresses != NULL && i < addresses->count; i++)
        if (weir_name_address_equals(&addresses->at[i], address))
            return true;
    return false;
}

static void use_address(weir_target_t *target, const weir_name_address_t *address)
{
    if (address->any.sa_family == AF_INET) {
        target->address.v4 = address->v4;
        target->address.v4.sin_port = htons(target->port);
        target->address_len = sizeof(address->v4);
    } else {
        target->address.v6 = address->v6;
        target->address.v6.sin6_port = htons(target->port);
        target->address_len = sizeof(address->v6);
    }
    target->kind = WEIR_TARGET_ADDRESS;
}

/* ---- names ---- */

static void forget(struct weir_resolver *resolver, local_name_t *local)
{
    weir_list_remove(&local->link);
    weir_list_remove(&local->in_use);
    resolver->count--;
    release(&local->known);
    free(local);
}

static weir_list_t *bucket_of(struct weir_resolver *resolver, weir_span_t name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)weir_lower(name.base[i])) * 16777619u;
    return &resolver->buckets[hash % BUCKETS];
}

/* False: each of the names is waited for. */
static bool make_room(struct weir_resolver *resolver)
{
    for (weir_list_t *node = resolver->in_use.next; node != &resolver->in_use; node = node->next) {
        local_name_t *local = WEIR_AROUND(node, local_name_t, in_use);
        if (!weir_list_is_empty(&local->waiting))
            continue;
        forget(resolver, local);
        return true;
    }
    return false;
}

/* NULL: there is none of that name. */
static local_name_t *find(struct weir_resolver *resolver, weir_span_t name)
{
    weir_list_t *bucket = bucket_of(resolver, name);

    for (weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        local_name_t *local = WEIR_AROUND(node, local_name_t, link);
        if (weir_equal_nocase((weir_span_t){local->name, local->name_len}, name))
            return local;
    }
    return NULL;
}

/* NULL: there is no room for another one. */
static local_name_t *find_or_add(struct weir_resolver *resolver, weir_span_t name)
{
    local_name_t *local = find(resolver, name);

    if (local == NULL) {
        if (resolver->count >= WEIR_RESOLVER_NAMES_MAX && !make_room(resolver))
            return NULL;
        local = calloc(1, sizeof(*local) + name.len + 1);
        WEIR_MUST(local != NULL);
        local->name_len = name.len;
        memcpy(local->name, name.base, name.len);
        weir_list_init(&local->waiting);
        weir_list_init(&local->in_use);
        weir_list_append(bucket_of(resolver, name), &local->link);
        resolver->count++;
    }
    weir_list_remove(&local->in_use);
    weir_list_append(&resolver->in_use, &local->in_use);
    return local;
}

/* ---- questions ---- */

static void ask(struct weir_resolver *resolver, local_name_t *local, uint64_t doubts_us)
{
    if (local->is_asking)
        return;
    local->is_asking = true;
    weir_names_ask(&resolver->user, (weir_span_t){local->name, local->name_len}, doubts_us);
}

static weir_resolution_t wait_for(local_name_t *local, weir_resolver_wait_t *wait)
{
    weir_resolver_cancel(wait);
    weir_list_init(&wait->link);
    weir_list_append(&local->waiting, &wait->link);
    return WEIR_RESOLVING;
}

/* In two lists: who is told may wait for the next answer at once. */
static void tell_waiting(local_name_t *local)
{
    weir_list_t present;

    weir_list_init(&present);
    weir_list_move_all(&present, &local->waiting);
    while (!weir_list_is_empty(&present)) {
        weir_resolver_wait_t *wait = WEIR_AROUND(present.next, weir_resolver_wait_t, link);
        weir_list_remove(&wait->link);
        wait->on_known(wait);
    }
}

static void on_addresses(weir_names_user_t *user, weir_addresses_t *addresses)
{
    struct weir_resolver *resolver = WEIR_AROUND(user, struct weir_resolver, user);
    local_name_t *local = find(resolver, addresses->name);
    uint64_t now_us = weir_loop_now_us(resolver->loop);

    if (local == NULL) {
        release(&addresses);
        return;
    }
    if (addresses->fresh_until_us <= now_us) /* the loop was late, not the answer: those who wait may have it */
        addresses->fresh_until_us = now_us + 1;
    release(&local->known);
    local->known = addresses;
    local->is_asking = false;
    tell_waiting(local);
}

/* ---- life ---- */

struct weir_resolver *weir_resolver_create(weir_loop_t *loop)
{
    struct weir_resolver *resolver = calloc(1, sizeof(*resolver));

    WEIR_MUST(resolver != NULL);
    resolver->loop = resolver->user.loop = loop;
    resolver->user.on_addresses = on_addresses;
    weir_list_init(&resolver->in_use);
    for (size_t i = 0; i < BUCKETS; i++)
        weir_list_init(&resolver->buckets[i]);
    weir_names_join(&resolver->user);
    return resolver;
}

void weir_resolver_use(struct weir_resolver *resolver)
{
    const weir_server_settings_t *settings = resolver->loop->settings;

    weir_names_use(settings->dns_servers, settings->name_threads, settings);
}

void weir_resolver_settle(struct weir_resolver *resolver)
{
    weir_names_leave(&resolver->user);
}

void weir_resolver_destroy(struct weir_resolver **resolver)
{
    struct weir_resolver *gone = *resolver;

    if (gone == NULL)
        return;
    *resolver = NULL;
    while (!weir_list_is_empty(&gone->in_use))
        forget(gone, WEIR_AROUND(gone->in_use.next, local_name_t, in_use));
    free(gone);
}

/* ---- the way through a name's addresses ---- */

/* On to the next of way->of that has not been tried before. */
static weir_resolution_t step(weir_target_t *target, weir_name_way_t *way)
{
    while (way->left > 0) {
        way->left--;
        way->at = (way->at + 1) % way->of->count;
        if (holds(way->tried, &way->of->at[way->at]))
            continue;
        use_address(target, &way->of->at[way->at]);
        return WEIR_RESOLVED;
    }
    return WEIR_UNRESOLVED;
}

/* From the next in turn. */
static weir_resolution_t set_out(local_name_t *local, weir_target_t *target, weir_name_way_t *way)
{
    size_t count = local->known != NULL ? local->known->count : 0;

    if (count == 0)
        return WEIR_UNRESOLVED;
    way->of = hold(local->known);
    way->at = (local->turn++ + count - 1) % count;
    way->left = count;
    return step(target, way);
}

weir_resolution_t weir_resolver_begin(struct weir_resolver *resolver, weir_target_t *target, weir_name_way_t *way,
                                      weir_resolver_wait_t *wait)
{
    local_name_t *local = find_or_add(resolver, target->name);

    WEIR_MUST(way->of == NULL);
    if (local == NULL)
        return WEIR_UNRESOLVED;
    const weir_addresses_t *known = local->known;
    uint64_t now_us = weir_loop_now_us(resolver->loop);
    bool is_of_now = known != NULL && known->edition == weir_names_edition();
    if (!is_of_now || now_us >= known->refresh_at_us)
        ask(resolver, local, 0);
    if (is_of_now && now_us < known->fresh_until_us)
        return set_out(local, target, way);
    return wait_for(local, wait);
}

/* Asks again, if the answer that has proved wrong is still the newest, and not of this moment. */
static void doubt(struct weir_resolver *resolver, local_name_t *local, const weir_name_way_t *way)
{
    uint64_t then_us = way->of->answered_at_us, now_us = weir_loop_now_us(resolver->loop);

    if (local->known == NULL || local->known->answered_at_us > then_us)
        return;
    if (now_us >= then_us + (uint64_t)WEIR_NAME_DOUBT_MS * 1000)
        ask(resolver, local, then_us);
}

/* Other addresses than before, the present one not among them. */
static bool has_moved(const local_name_t *local, const weir_name_way_t *way)
{
    const weir_addresses_t *known = local->known;

    if (known == NULL || known == way->of || way->tried != NULL || holds(known, &way->of->at[way->at]))
        return false;
    for (size_t i = 0; i < known->count; i++)
        if (!holds(way->of, &known->at[i]))
            return true;
    return false;
}

static weir_resolution_t set_out_anew(local_name_t *local, weir_target_t *target, weir_name_way_t *way)
{
    way->tried = way->of;
    way->of = NULL;
    return set_out(local, target, way);
}

weir_resolution_t weir_resolver_next(struct weir_resolver *resolver, weir_target_t *target, weir_name_way_t *way,
                                     weir_resolver_wait_t *wait, bool may_have_moved)
{
    local_name_t *local = find_or_add(resolver, target->name);

    if (way->of == NULL || local == NULL)
        return WEIR_UNRESOLVED;
    if (may_have_moved)
        doubt(resolver, local, way);
    if (has_moved(local, way))
        return set_out_anew(local, target, way);
    if (step(target, way) == WEIR_RESOLVED)
        return WEIR_RESOLVED;
    if (way->tried != NULL)
        return WEIR_UNRESOLVED;
    if (local->known != NULL && local->known != way->of)
        return set_out_anew(local, target, way);
    return local->is_asking ? wait_for(local, wait) : WEIR_UNRESOLVED;
}

void weir_resolver_doubt(struct weir_resolver *resolver, weir_span_t name, const weir_name_way_t *way,
                         weir_resolver_wait_t *wait)
{
    local_name_t *local = find(resolver, name);

    if (way->of == NULL || local == NULL)
        return;
    doubt(resolver, local, way);
    if (wait != NULL && local->is_asking)
        (void)wait_for(local, wait);
}

bool weir_resolver_is_current(struct weir_resolver *resolver, weir_span_t name, const weir_name_way_t *way)
{
    const local_name_t *local = find(resolver, name);

    return way->of == NULL || local == NULL || local->known == NULL || local->known == way->of || local->known->count == 0 ||
           holds(local->known, &way->of->at[way->at]);
}

void weir_resolver_end(weir_name_way_t *way)
{
    release(&way->of);
    release(&way->tried);
    way->left = 0;
}

void weir_resolver_cancel(weir_resolver_wait_t *wait)
{
    if (wait->link.next != NULL)
        weir_list_remove(&wait->link);
}
