/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_pool.h"

#include <stdlib.h>

#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/wire/back/back_http1.h"

struct weir_back_place {
    weir_list_t link; /* in its bucket */
    weir_list_t idle; /* connections, the one given last first */
    socklen_t address_len;
    weir_address_t address;
};

weir_back_pool_t *weir_back_pool_create(weir_loop_t *loop)
{
    weir_back_pool_t *pool = calloc(1, sizeof(*pool));

    WEIR_MUST(pool != NULL);
    pool->loop = loop;
    weir_list_init(&pool->oldest);
    for (size_t i = 0; i < WEIR_POOL_BUCKETS; i++)
        weir_list_init(&pool->buckets[i]);
    return pool;
}

void weir_back_pool_destroy(weir_back_pool_t **pool)
{
    weir_back_pool_t *gone = *pool;

    while (!weir_list_is_empty(&gone->oldest)) {
        back_http1_t *back = WEIR_AROUND(gone->oldest.next, back_http1_t, in_age);
        weir_back_pool_remove(back);
        back_http1_destroy(&back);
    }
    free(gone);
    *pool = NULL;
}

/* FNV-1a's way, by words: addresses are few and short. The high half of a product is the better mixed one. */
size_t weir_back_pool_bucket(const struct sockaddr *address, socklen_t len)
{
    const char *bytes = (const char *)address;
    uint64_t hash = 14695981039346656037u;
    socklen_t i = 0;

    for (; len - i >= 8; i += 8)
        hash = (hash ^ weir_word(bytes + i)) * 1099511628211u;
    for (; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    return (hash ^ hash >> 32) % WEIR_POOL_BUCKETS;
}

/* Of connections to this address that have this TLS, which its first one tells: a place is never empty. */
static weir_back_place_t *find_place(weir_list_t *bucket, const struct sockaddr *address, socklen_t len,
                                     const weir_backend_tls_t *tls, const char *name)
{
    for (weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        weir_back_place_t *place = WEIR_AROUND(node, weir_back_place_t, link);
        const back_http1_t *first = WEIR_AROUND(place->idle.next, back_http1_t, in_place);
        if (place->address_len == len && memcmp(&place->address, address, len) == 0 &&
            weir_back_tls_fits(&first->tls, tls, name))
            return place;
    }
    return NULL;
}

back_http1_t *weir_back_pool_take(weir_back_pool_t *pool, const weir_target_t *target)
{
    weir_list_t *bucket = &pool->buckets[weir_back_pool_bucket(&target->address.any, target->address_len)];
    weir_back_place_t *place =
        find_place(bucket, &target->address.any, target->address_len, target->tls, weir_back_tls_name(target));

    if (place == NULL)
        return NULL;
    back_http1_t *back = WEIR_AROUND(place->idle.next, back_http1_t, in_place);
    weir_back_pool_remove(back);
    return back;
}

void weir_back_pool_remove(back_http1_t *back)
{
    weir_back_place_t *place = back->place;

    if (place == NULL)
        return;
    back->place = NULL;
    weir_list_remove(&back->in_place);
    weir_list_remove(&back->in_age);
    weir_timer_cancel(&back->back.timer);
    back->back.loop->pool->idle_count--;
    if (!weir_list_is_empty(&place->idle))
        return;
    weir_list_remove(&place->link);
    free(place);
}

static weir_back_place_t *make_place(weir_list_t *bucket, const back_http1_t *back)
{
    weir_back_place_t *place = calloc(1, sizeof(*place));

    WEIR_MUST(place != NULL);
    weir_list_init(&place->idle);
    place->address_len = back->address_len;
    memcpy(&place->address, &back->address, back->address_len);
    weir_list_append(bucket, &place->link);
    return place;
}

static void close_idle(back_http1_t *back)
{
    weir_back_pool_remove(back);
    back_http1_destroy(&back);
}

static void on_idle_end(weir_timer_t *timer)
{
    close_idle(WEIR_AROUND(timer, back_http1_t, back.timer));
}

/* The backend has ended it, or speaks unasked: whatever it says could be taken for the next response. */
static void on_idle_readable(weir_sock_t *sock)
{
    char next;

    if (weir_sock_peek(sock, &next, 1) == WEIR_SOCK_BLOCKED)
        return; /* TLS has said something to TLS: a ticket, new keys */
    close_idle(WEIR_AROUND(sock, back_http1_t, sock));
}

void weir_back_pool_give(weir_back_pool_t *pool, back_http1_t **giving, uint32_t idle_ms)
{
    back_http1_t *back = *giving;

    *giving = NULL;
    if (pool->idle_count >= WEIR_POOL_IDLE_MAX)
        close_idle(WEIR_AROUND(pool->oldest.next, back_http1_t, in_age));
    weir_list_t *bucket = &pool->buckets[weir_back_pool_bucket(&back->address.any, back->address_len)];
    back->place = find_place(bucket, &back->address.any, back->address_len, back->tls.tls, back->tls.name);
    if (back->place == NULL)
        back->place = make_place(bucket, back);
    weir_list_prepend(&back->place->idle, &back->in_place);
    weir_list_append(&pool->oldest, &back->in_age);
    pool->idle_count++;
    back->sock.on_readable = on_idle_readable;
    weir_sock_watch(&back->sock, true);
    weir_timer_set(pool->loop, &back->back.timer, idle_ms, on_idle_end);
}
