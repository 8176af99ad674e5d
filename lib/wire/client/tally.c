/* SPDX-License-Identifier: MIT */
#include "lib/wire/client/tally.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/must.h"
#include "lib/base/weir_digest.h"

enum { STRIPES = 64, BUCKETS = 256 /* of a stripe */, LINE_BYTES = 64 };

typedef enum kind { OF_LISTENER = 1, OF_IPV4, OF_IPV6_NET, OF_LINK_LOCAL } kind_t;

struct weir_tally_entry {
    weir_tally_entry_t *next; /* of its bucket */
    weir_tally_key_t key;
    uint32_t stripe, bucket;
    uint32_t count; /* never 0 */
};

typedef struct stripe {
    _Alignas(LINE_BYTES) pthread_mutex_t lock;
    weir_tally_entry_t *buckets[BUCKETS];
} stripe_t;

struct weir_tally {
    stripe_t stripes[STRIPES];
    uint64_t key[2];
    size_t most;
    atomic_size_t entries;
};

static atomic_size_t lost;

/* ---- keys ---- */

static uint64_t number_at(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;

    memcpy(&number, bytes, count);
    return number;
}

bool weir_tally_client(const struct sockaddr *address, weir_tally_key_t *out_key)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    if (address->sa_family == AF_INET) {
        *out_key = (weir_tally_key_t){OF_IPV4, number_at((const uint8_t *)&v4->sin_addr, 4)};
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const uint8_t *bytes = v6->sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        *out_key = (weir_tally_key_t){OF_IPV4, number_at(bytes + 12, 4)};
    else if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
        *out_key = (weir_tally_key_t){OF_LINK_LOCAL, number_at(bytes + 8, 8)};
    else
        *out_key = (weir_tally_key_t){OF_IPV6_NET, number_at(bytes, 8)};
    return true;
}

weir_tally_key_t weir_tally_listener(const struct sockaddr_storage *address)
{
    static const uint64_t nobody_aims[2] = {0, 0}; /* the configuration names them */

    return (weir_tally_key_t){OF_LISTENER, weir_siphash(nobody_aims, (weir_span_t){(const char *)address, sizeof(*address)})};
}

/* ---- life ---- */

weir_tally_t *weir_tally_create(size_t most)
{
    weir_tally_t *tally = aligned_alloc(LINE_BYTES, (sizeof(*tally) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);

    WEIR_MUST(tally != NULL);
    memset(tally, 0, sizeof(*tally));
    WEIR_MUST(getrandom(tally->key, sizeof(tally->key), 0) == sizeof(tally->key));
    tally->most = most;
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&tally->stripes[i].lock, NULL);
    return tally;
}

static void free_bucket(weir_tally_entry_t *entry)
{
    while (entry != NULL) {
        weir_tally_entry_t *next = entry->next;
        atomic_fetch_add(&lost, entry->count);
        free(entry);
        entry = next;
    }
}

void weir_tally_destroy(weir_tally_t **tally)
{
    weir_tally_t *gone = *tally;

    if (gone == NULL)
        return;
    *tally = NULL;
    for (size_t i = 0; i < STRIPES; i++) {
        for (size_t j = 0; j < BUCKETS; j++)
            free_bucket(gone->stripes[i].buckets[j]);
        pthread_mutex_destroy(&gone->stripes[i].lock);
    }
    free(gone);
}

/* ---- who comes and goes ---- */

typedef struct place {
    uint32_t stripe, bucket;
} place_t;

static place_t place_of(const weir_tally_t *tally, const weir_tally_key_t *key)
{
    const uint64_t hash = weir_siphash(tally->key, (weir_span_t){(const char *)key, sizeof(*key)});

    return (place_t){(uint32_t)(hash % STRIPES), (uint32_t)(hash / STRIPES % BUCKETS)};
}

/* Where the entry hangs, or would. Its stripe is locked. */
static weir_tally_entry_t **find(weir_tally_t *tally, const weir_tally_key_t *key, place_t place)
{
    weir_tally_entry_t **at = &tally->stripes[place.stripe].buckets[place.bucket];

    while (*at != NULL && ((*at)->key.kind != key->kind || (*at)->key.value != key->value))
        at = &(*at)->next;
    return at;
}

/* NULL: there are as many as may be. */
static weir_tally_entry_t *make(weir_tally_t *tally, const weir_tally_key_t *key, place_t place)
{
    if (atomic_fetch_add_explicit(&tally->entries, 1, memory_order_relaxed) >= tally->most) {
        atomic_fetch_sub_explicit(&tally->entries, 1, memory_order_relaxed);
        return NULL;
    }
    weir_tally_entry_t *entry = malloc(sizeof(*entry));
    WEIR_MUST(entry != NULL);
    *entry = (weir_tally_entry_t){.key = *key, .stripe = place.stripe, .bucket = place.bucket};
    return entry;
}

bool weir_tally_enter(weir_tally_t *tally, weir_tally_key_t key, uint32_t limit, weir_tally_entry_t **out_entry)
{
    const place_t place = place_of(tally, &key);
    stripe_t *stripe = &tally->stripes[place.stripe];

    *out_entry = NULL;
    pthread_mutex_lock(&stripe->lock);
    weir_tally_entry_t **at = find(tally, &key, place);
    const bool is_over = limit != 0 && *at != NULL && (*at)->count >= limit;
    if (!is_over && *at == NULL)
        *at = make(tally, &key, place);
    if (!is_over && *at != NULL) {
        (*at)->count++;
        *out_entry = *at;
    }
    pthread_mutex_unlock(&stripe->lock);
    return !is_over;
}

static void take_out(weir_tally_t *tally, weir_tally_entry_t *entry)
{
    weir_tally_entry_t **at = &tally->stripes[entry->stripe].buckets[entry->bucket];

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    free(entry);
    atomic_fetch_sub_explicit(&tally->entries, 1, memory_order_relaxed);
}

void weir_tally_leave(weir_tally_t *tally, weir_tally_entry_t **entry)
{
    weir_tally_entry_t *left = *entry;

    if (left == NULL)
        return;
    *entry = NULL;
    stripe_t *stripe = &tally->stripes[left->stripe]; /* behind the unlocking the entry may be gone */
    pthread_mutex_lock(&stripe->lock);
    if (--left->count == 0)
        take_out(tally, left);
    pthread_mutex_unlock(&stripe->lock);
}

/* ---- what is known ---- */

size_t weir_tally_of(weir_tally_t *tally, weir_tally_key_t key)
{
    const place_t place = place_of(tally, &key);

    pthread_mutex_lock(&tally->stripes[place.stripe].lock);
    const weir_tally_entry_t *entry = *find(tally, &key, place);
    const size_t count = entry == NULL ? 0 : entry->count;
    pthread_mutex_unlock(&tally->stripes[place.stripe].lock);
    return count;
}

size_t weir_tally_entries(const weir_tally_t *tally)
{
    return atomic_load(&tally->entries);
}

size_t weir_tally_lost(void)
{
    return atomic_load(&lost);
}
