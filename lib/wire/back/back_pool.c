/* SPDX-License-Identifier: MIT */
#include "lib/wire/back/back_pool.h"

#include <stdlib.h>

#include "lib/base/metrics.h"
#include "lib/base/must.h"
#include "lib/base/span.h"
#include "lib/wire/back/back_http1.h"
#include "lib/wire/back/back_worker_http1.h"

struct weir_back_place {
    weir_list_t link; /* in its bucket */
    weir_list_t idle; /* connections, the one given last first */
    size_t count;     /* of them */
    socklen_t address_len;
    weir_address_t address;
};

enum { WANT_STEP_MS = 10, WANT_STEP_US = 10000 };

static pthread_mutex_t process_lock = PTHREAD_MUTEX_INITIALIZER;
static weir_list_t process_pools = {&process_pools, &process_pools};
static atomic_uint_fast64_t next_step_at_us; /* of all loops together */

static void on_asked(weir_letter_t *letter);
static void want_no_more(weir_back_pool_t *pool, back_http1_t *back);
static bool gives_up(weir_back_pool_t *pool, const back_http1_t *back);

weir_back_pool_t *weir_back_pool_create(weir_loop_t *loop)
{
    weir_back_pool_t *pool = calloc(1, sizeof(*pool));

    WEIR_MUST(pool != NULL);
    pool->loop = loop;
    weir_list_init(&pool->oldest);
    for (size_t i = 0; i < WEIR_POOL_BUCKETS; i++)
        weir_list_init(&pool->buckets[i]);
    pool->asked.letter.open = on_asked;
    weir_list_init(&pool->asked.letter.link);
    pthread_mutex_lock(&process_lock);
    weir_list_append(&process_pools, &pool->in_process);
    pthread_mutex_unlock(&process_lock);
    return pool;
}

void weir_back_pool_destroy(weir_back_pool_t **pool)
{
    weir_back_pool_t *gone = *pool;

    pthread_mutex_lock(&process_lock);
    weir_list_remove(&gone->in_process);
    pthread_mutex_unlock(&process_lock);
    weir_loop_take_back(gone->loop, &gone->asked.letter);
    weir_timer_cancel(&gone->want_timer);
    while (!weir_list_is_empty(&gone->oldest)) {
        back_http1_t *back = WEIR_AROUND(gone->oldest.next, back_http1_t, in_age);
        weir_back_pool_remove(back);
        back_http1_destroy(&back);
    }
    weir_spare_empty(&gone->places);
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

/* Of connections to this address that speak this, with this TLS, which its first one tells: a place is never empty. */
static weir_back_place_t *find_place(weir_list_t *bucket, const struct sockaddr *address, socklen_t len,
                                     weir_protocol_t protocol, const weir_backend_tls_t *tls, const char *name)
{
    for (weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        weir_back_place_t *place = WEIR_AROUND(node, weir_back_place_t, link);
        const back_http1_t *first = WEIR_AROUND(place->idle.next, back_http1_t, in_place);
        if (place->address_len == len && memcmp(&place->address, address, len) == 0 && first->protocol == protocol &&
            weir_back_tls_fits(&first->tls, tls, name))
            return place;
    }
    return NULL;
}

back_http1_t *weir_back_pool_take(weir_back_pool_t *pool, const weir_target_t *target)
{
    weir_list_t *bucket = &pool->buckets[weir_back_pool_bucket(&target->address.any, target->address_len)];
    weir_back_place_t *place = find_place(bucket, &target->address.any, target->address_len, target->protocol, target->tls,
                                          weir_back_tls_name(target));

    if (place == NULL)
        return NULL;
    back_http1_t *back = WEIR_AROUND(place->idle.next, back_http1_t, in_place);
    weir_back_pool_remove(back);
    if (back->worker != NULL)
        (void)back_worker_http1_use(back, true);
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
    weir_metrics_add(WEIR_CELL_idle_ended, 1);
    place->count--;
    if (!weir_list_is_empty(&place->idle))
        return;
    weir_list_remove(&place->link);
    weir_spare_keep(&back->back.loop->pool->places, place);
}

static weir_back_place_t *make_place(weir_back_pool_t *pool, weir_list_t *bucket, const back_http1_t *back)
{
    weir_back_place_t *place = weir_spare_take(&pool->places, sizeof(*place));

    weir_list_init(&place->idle);
    place->count = 0;
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

bool weir_back_pool_close_oldest(weir_back_pool_t *pool)
{
    if (weir_list_is_empty(&pool->oldest))
        return false;
    close_idle(WEIR_AROUND(pool->oldest.next, back_http1_t, in_age));
    return true;
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
    weir_timer_cancel(&back->unheard_timer);
    if (back->worker != NULL && !back_worker_http1_use(back, false)) {
        back_http1_destroy(&back);
        return;
    }
    if (back->is_wanting)
        want_no_more(pool, back);
    if (pool->want_count > 0 && gives_up(pool, back)) {
        back_http1_destroy(&back);
        return;
    }
    if (pool->idle_count >= WEIR_POOL_IDLE_MAX)
        close_idle(WEIR_AROUND(pool->oldest.next, back_http1_t, in_age));
    weir_list_t *bucket = &pool->buckets[weir_back_pool_bucket(&back->address.any, back->address_len)];
    back->place = find_place(bucket, &back->address.any, back->address_len, back->protocol, back->tls.tls, back->tls.name);
    if (back->place == NULL)
        back->place = make_place(pool, bucket, back);
    if (back->place->count >= WEIR_POOL_PLACE_MAX)
        close_idle(WEIR_AROUND(back->place->idle.prev, back_http1_t, in_place));
    back->place->count++;
    weir_list_prepend(&back->place->idle, &back->in_place);
    weir_list_append(&pool->oldest, &back->in_age);
    pool->idle_count++;
    weir_metrics_add(WEIR_CELL_idle_begun, 1);
    back->sock.on_readable = on_idle_readable;
    weir_sock_watch(&back->sock, true);
    if (back->worker == NULL) /* which redials, and is counted by its connections */
        weir_timer_set(pool->loop, &back->back.timer, idle_ms, on_idle_end);
}

/* ---- what is given up for others ---- */

/* Whether it is this loop's turn: the others have theirs later. */
static bool may_step(const weir_back_pool_t *pool)
{
    const uint64_t now_us = weir_loop_now_us(pool->loop);
    uint64_t next_us = atomic_load(&next_step_at_us);

    return now_us >= next_us && atomic_compare_exchange_strong(&next_step_at_us, &next_us, now_us + WANT_STEP_US);
}

static void forget_want(weir_back_pool_t *pool, size_t at)
{
    pool->wants[at] = pool->wants[--pool->want_count];
}

static bool is_to(const back_http1_t *back, const weir_back_want_t *want)
{
    return back->address_len == want->address_len && memcmp(&back->address, &want->address, want->address_len) == 0;
}

/* The one that has been idle for longest, with whatever TLS. NULL: there is none. */
static back_http1_t *idle_to(weir_back_pool_t *pool, const weir_back_want_t *want)
{
    weir_list_t *bucket = &pool->buckets[weir_back_pool_bucket(&want->address.any, want->address_len)];

    for (weir_list_t *node = bucket->next; node != bucket; node = node->next) {
        back_http1_t *last = WEIR_AROUND(WEIR_AROUND(node, weir_back_place_t, link)->idle.prev, back_http1_t, in_place);
        if (is_to(last, want))
            return last;
    }
    return NULL;
}

static void on_want_timer(weir_timer_t *timer)
{
    weir_back_pool_t *pool = WEIR_AROUND(timer, weir_back_pool_t, want_timer);
    const uint64_t now_us = weir_loop_now_us(pool->loop);

    for (size_t i = pool->want_count; i-- > 0;) {
        back_http1_t *idle = idle_to(pool, &pool->wants[i]);
        const bool is_late = now_us >= pool->wants[i].until_us;
        if (is_late || (idle != NULL && may_step(pool))) {
            forget_want(pool, i);
            if (!is_late)
                close_idle(idle);
        }
    }
    if (pool->want_count > 0)
        weir_timer_set(pool->loop, timer, WANT_STEP_MS, on_want_timer);
}

/* It has been heard, so that it was merely slow: what it has asked for is not given up any more, on this loop at least. */
static void want_no_more(weir_back_pool_t *pool, back_http1_t *back)
{
    back->is_wanting = false;
    for (size_t i = 0; i < pool->want_count; i++)
        if (is_to(back, &pool->wants[i])) {
            forget_want(pool, i);
            return;
        }
}

/* Of a connection that is given back. */
static bool gives_up(weir_back_pool_t *pool, const back_http1_t *back)
{
    for (size_t i = 0; i < pool->want_count; i++)
        if (is_to(back, &pool->wants[i]) && may_step(pool)) {
            forget_want(pool, i);
            return true;
        }
    return false;
}

static void remember(weir_back_pool_t *pool, const weir_back_want_t *want)
{
    if (pool->want_count == WEIR_POOL_WANTS)
        return;
    pool->wants[pool->want_count] = *want;
    pool->wants[pool->want_count++].until_us = weir_loop_now_us(pool->loop) + (uint64_t)WEIR_POOL_WANT_MS * 1000;
    if (!weir_timer_is_set(&pool->want_timer))
        weir_timer_set(pool->loop, &pool->want_timer, WANT_STEP_MS, on_want_timer);
}

static void on_asked(weir_letter_t *letter)
{
    weir_back_pool_t *pool = WEIR_AROUND(letter, weir_back_pool_t, asked.letter);

    pthread_mutex_lock(&process_lock);
    for (size_t i = 0; i < pool->asked.count; i++)
        remember(pool, &pool->asked.wants[i]);
    pool->asked.count = 0;
    pool->asked.is_posted = false;
    pthread_mutex_unlock(&process_lock);
}

/* Under the lock: no pool goes away meanwhile. */
static void ask(weir_back_pool_t *other, const weir_back_want_t *want)
{
    if (other->asked.count < WEIR_POOL_WANTS)
        other->asked.wants[other->asked.count++] = *want;
    if (other->asked.is_posted)
        return;
    other->asked.is_posted = true;
    weir_loop_post(other->loop, &other->asked.letter);
}

void weir_back_pool_want(weir_back_pool_t *pool, const struct sockaddr *address, socklen_t len)
{
    weir_back_want_t want = {.address_len = len};

    memcpy(&want.address, address, len);
    remember(pool, &want);
    pthread_mutex_lock(&process_lock);
    for (weir_list_t *node = process_pools.next; node != &process_pools; node = node->next) {
        weir_back_pool_t *other = WEIR_AROUND(node, weir_back_pool_t, in_process);
        if (other != pool)
            ask(other, &want);
    }
    pthread_mutex_unlock(&process_lock);
}
