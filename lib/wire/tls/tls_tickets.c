/* SPDX-License-Identifier: MIT */
#include "lib/wire/tls/tls_tickets.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/base/rights.h"
#include "lib/wire/tls/tls_ticket_file.h"

enum { FILE_BYTES_MAX = 65536 };

struct weir_tls_tickets {
    atomic_uint holders;
    uint32_t lifetime_s;
    char *file;                /* NULL: our own keys */
    atomic_uint_fast64_t look; /* the second in which it is time to look at the file, or to make a key */
    EVP_CIPHER *aes_256, *aes_128;
    pthread_mutex_t looking; /* whoever looks after the keys */
    pthread_rwlock_t lock;
    size_t count;
    weir_ticket_key_t keys[WEIR_TICKET_KEYS_MAX]; /* newest first */
    struct stat read_from;                        /* what the file was when it was read; of whoever looks */
};

/* Our own, kept from one configuration to the next. */
static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;
static weir_tls_tickets_t *own;

static uint64_t now_s(void)
{
    return (uint64_t)time(NULL);
}

/* ---- our own keys ---- */

/* Under the lock. Drops what opens no ticket any more, and puts a new one in front. */
static void make_key(weir_tls_tickets_t *tickets, uint64_t now)
{
    while (tickets->count > 0 && tickets->keys[tickets->count - 1].not_after_s < now)
        tickets->count--;
    if (tickets->count == WEIR_TICKET_KEYS_MAX)
        tickets->count--;
    weir_ticket_key_t *key = tickets->keys;
    memmove(key + 1, key, tickets->count * sizeof(*key));
    tickets->count++;
    *key = (weir_ticket_key_t){0};
    WEIR_MUST(RAND_bytes(key->name, sizeof(key->name)) == 1 && RAND_priv_bytes(key->cipher, sizeof(key->cipher)) == 1 &&
              RAND_priv_bytes(key->hash, sizeof(key->hash)) == 1);
    key->not_before_s = now;
    key->not_after_s = now + tickets->lifetime_s;
    atomic_store(&tickets->look, now + (tickets->lifetime_s + 3) / 4);
}

/* ---- keys from a file ---- */

static int newest_first(const void *a, const void *b)
{
    const weir_ticket_key_t *one = a, *other = b;

    return (one->not_before_s < other->not_before_s) - (one->not_before_s > other->not_before_s);
}

static bool slurp(const char *path, char *text, size_t *out_len, struct stat *out_stat, char problem[WEIR_TLS_PROBLEM_BYTES])
{
    const int fd = weir_rights_read(path);
    FILE *file = fd != -1 ? fdopen(fd, "r") : NULL;

    if (file == NULL || fstat(fileno(file), out_stat) != 0) {
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s cannot be read: %s", path, strerror(errno));
        if (file != NULL)
            fclose(file);
        return false;
    }
    *out_len = fread(text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    return true;
}

/* Replaces the keys by the file's, or leaves them as they are. */
static bool read_file(weir_tls_tickets_t *tickets, char problem[WEIR_TLS_PROBLEM_BYTES])
{
    weir_ticket_key_t *keys = calloc(WEIR_TICKET_KEYS_MAX, sizeof(*keys));
    char *text = malloc(FILE_BYTES_MAX);
    size_t len = 0, line, count = 0;
    struct stat there;
    const char *sentence;

    WEIR_MUST(keys != NULL && text != NULL);
    bool is_read = slurp(tickets->file, text, &len, &there, problem);
    if (is_read)
        count = weir_ticket_file_read((weir_span_t){text, len}, keys, &line, &sentence);
    if (is_read && count == 0)
        snprintf(problem, WEIR_TLS_PROBLEM_BYTES, "%s:%zu: %s", tickets->file, line, sentence);
    if (count > 0) {
        qsort(keys, count, sizeof(*keys), newest_first);
        pthread_rwlock_wrlock(&tickets->lock);
        memcpy(tickets->keys, keys, count * sizeof(*keys));
        tickets->count = count;
        tickets->read_from = there;
        pthread_rwlock_unlock(&tickets->lock);
    }
    OPENSSL_cleanse(keys, WEIR_TICKET_KEYS_MAX * sizeof(*keys));
    OPENSSL_cleanse(text, FILE_BYTES_MAX);
    free(keys);
    free(text);
    return count > 0;
}

static bool has_changed(const weir_tls_tickets_t *tickets)
{
    struct stat there;
    const struct stat *was = &tickets->read_from;

    if (stat(tickets->file, &there) != 0)
        return false; /* being replaced, perhaps */
    return there.st_mtim.tv_sec != was->st_mtim.tv_sec || there.st_mtim.tv_nsec != was->st_mtim.tv_nsec ||
           there.st_ino != was->st_ino || there.st_size != was->st_size;
}

/* ---- in time ---- */

static void renew(weir_tls_tickets_t *tickets, uint64_t now)
{
    char problem[WEIR_TLS_PROBLEM_BYTES];

    if (now < atomic_load(&tickets->look))
        return; /* somebody was quicker */
    atomic_store(&tickets->look, now + 1);
    if (tickets->file == NULL) {
        pthread_rwlock_wrlock(&tickets->lock);
        make_key(tickets, now);
        pthread_rwlock_unlock(&tickets->lock);
    } else if (has_changed(tickets) && !read_file(tickets, problem)) {
        weir_log("the keys of session tickets stay as they were: %s", problem);
        (void)stat(tickets->file, &tickets->read_from); /* said once for each change */
    }
}

/* One thread does it; the others go on with what there is. */
static void look_after(weir_tls_tickets_t *tickets, uint64_t now)
{
    if (now < atomic_load(&tickets->look) || pthread_mutex_trylock(&tickets->looking) != 0)
        return;
    renew(tickets, now);
    pthread_mutex_unlock(&tickets->looking);
}

/* ---- using ---- */

static bool is_valid(const weir_ticket_key_t *key, uint64_t now)
{
    return key->not_before_s <= now && now <= key->not_after_s;
}

static const weir_ticket_key_t *newest(const weir_tls_tickets_t *tickets, uint64_t now)
{
    for (size_t i = 0; i < tickets->count; i++)
        if (is_valid(&tickets->keys[i], now))
            return &tickets->keys[i];
    return NULL;
}

static const weir_ticket_key_t *named(const weir_tls_tickets_t *tickets, const unsigned char *name, uint64_t now)
{
    for (size_t i = 0; i < tickets->count; i++)
        if (memcmp(tickets->keys[i].name, name, WEIR_TICKET_NAME_BYTES) == 0)
            return now <= tickets->keys[i].not_after_s ? &tickets->keys[i] : NULL;
    return NULL;
}

static bool set_hash(EVP_MAC_CTX *mac, const weir_ticket_key_t *key)
{
    char digest[sizeof("SHA256")];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->hash, sizeof(key->hash)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};

    memcpy(digest, key->is_sha1 ? "SHA1" : "SHA256", key->is_sha1 ? sizeof("SHA1") : sizeof("SHA256"));
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static const EVP_CIPHER *cipher_of(const weir_tls_tickets_t *tickets, const weir_ticket_key_t *key)
{
    return key->is_aes_128 ? tickets->aes_128 : tickets->aes_256;
}

/* 1, or 2 if its client is to get a new one. */
static int decrypt(const weir_tls_tickets_t *tickets, const unsigned char *name, const unsigned char *iv,
                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    uint64_t now = now_s();
    const weir_ticket_key_t *key = named(tickets, name, now);

    if (key == NULL || !set_hash(mac, key))
        return 0;
    if (EVP_DecryptInit_ex(cipher, cipher_of(tickets, key), NULL, key->cipher, iv) != 1)
        return -1;
    return key == newest(tickets, now) ? 1 : 2;
}

static int encrypt(const weir_tls_tickets_t *tickets, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac)
{
    const weir_ticket_key_t *key = newest(tickets, now_s());

    if (key == NULL || !set_hash(mac, key))
        return 0;
    memcpy(name, key->name, WEIR_TICKET_NAME_BYTES);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher_of(tickets, key))) != 1)
        return -1;
    return EVP_EncryptInit_ex(cipher, cipher_of(tickets, key), NULL, key->cipher, iv) == 1 ? 1 : -1;
}

int weir_tls_tickets_use(weir_tls_tickets_t *tickets, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, bool is_encrypting)
{
    look_after(tickets, now_s());
    pthread_rwlock_rdlock(&tickets->lock);
    int result = is_encrypting ? encrypt(tickets, name, iv, cipher, mac) : decrypt(tickets, name, iv, cipher, mac);
    pthread_rwlock_unlock(&tickets->lock);
    return result;
}

uint32_t weir_tls_tickets_lifetime_s(const weir_tls_tickets_t *tickets)
{
    return tickets->lifetime_s;
}

/* ---- life ---- */

static weir_tls_tickets_t *create(const char *file, uint32_t lifetime_s)
{
    weir_tls_tickets_t *tickets = calloc(1, sizeof(*tickets));

    WEIR_MUST(tickets != NULL);
    atomic_init(&tickets->holders, 1);
    atomic_init(&tickets->look, 0);
    tickets->lifetime_s = lifetime_s;
    tickets->aes_256 = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    tickets->aes_128 = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    WEIR_MUST(tickets->aes_256 != NULL && tickets->aes_128 != NULL && pthread_rwlock_init(&tickets->lock, NULL) == 0 &&
              pthread_mutex_init(&tickets->looking, NULL) == 0);
    tickets->file = file != NULL ? strdup(file) : NULL;
    return tickets;
}

static weir_tls_tickets_t *open_own(uint32_t lifetime_s)
{
    pthread_mutex_lock(&own_lock);
    if (own == NULL || own->lifetime_s != lifetime_s) {
        weir_tls_tickets_release(&own);
        own = create(NULL, lifetime_s);
        make_key(own, now_s());
    }
    weir_tls_tickets_t *tickets = weir_tls_tickets_hold(own);
    pthread_mutex_unlock(&own_lock);
    return tickets;
}

weir_tls_tickets_t *weir_tls_tickets_open(const char *file, uint32_t lifetime_s, char problem[static WEIR_TLS_PROBLEM_BYTES])
{
    if (file == NULL)
        return open_own(lifetime_s);
    weir_tls_tickets_t *tickets = create(file, lifetime_s);
    if (!read_file(tickets, problem))
        weir_tls_tickets_release(&tickets);
    return tickets;
}

weir_tls_tickets_t *weir_tls_tickets_hold(weir_tls_tickets_t *tickets)
{
    atomic_fetch_add_explicit(&tickets->holders, 1, memory_order_relaxed);
    return tickets;
}

void weir_tls_tickets_release(weir_tls_tickets_t **slot)
{
    weir_tls_tickets_t *tickets = *slot;

    *slot = NULL;
    if (tickets == NULL || atomic_fetch_sub(&tickets->holders, 1) != 1)
        return;
    pthread_mutex_destroy(&tickets->looking);
    pthread_rwlock_destroy(&tickets->lock);
    EVP_CIPHER_free(tickets->aes_256);
    EVP_CIPHER_free(tickets->aes_128);
    OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
    free(tickets->file);
    free(tickets);
}
