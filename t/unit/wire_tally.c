/* SPDX-License-Identifier: MIT */
/* Open connections, counted by client and by listener: who is counted together, where it ends, and many threads at once. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "lib/wire/client/tally.h"

enum { THREADS = 4, ROUNDS = 50000, CLIENTS = 7, LIMIT = 3, HELD = 8, FEW = 5, STORM = 3000 };

static weir_tally_t *tally;

static int open_tally(void **state)
{
    tally = weir_tally_create(WEIR_TALLY_MOST);
    return 0;
}

static int close_tally(void **state)
{
    const size_t before = weir_tally_lost(), entries = weir_tally_entries(tally);

    weir_tally_destroy(&tally);
    weir_tally_destroy(&tally);
    return tally == NULL && entries == 0 && weir_tally_lost() == before ? 0 : -1;
}

static weir_tally_key_t key_of(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(1)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(2)};
    weir_tally_key_t key = {0, 0};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        assert_true(weir_tally_client((const struct sockaddr *)&v4, &key));
    else
        assert_true(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1 && weir_tally_client((const struct sockaddr *)&v6, &key));
    return key;
}

/* Whether connections of both are counted as one client's. */
static bool are_together(const char *one, const char *other)
{
    weir_tally_entry_t *entry;
    bool is_other;

    assert_true(weir_tally_enter(tally, key_of(one), 0, &entry));
    is_other = weir_tally_of(tally, key_of(other)) == 1;
    weir_tally_leave(tally, &entry);
    return is_other;
}

static void who_is_counted_together(void **state)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    weir_tally_key_t key;

    assert_true(are_together("192.0.2.1", "192.0.2.1"));
    assert_false(are_together("192.0.2.1", "192.0.2.2"));
    assert_true(are_together("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(are_together("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    assert_true(are_together("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_false(are_together("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_false(are_together("2001:db8:1:2::1", "2001:db9:1:2::1"));
    assert_false(are_together("fe80::1", "fe80::2"));
    assert_true(are_together("fe80::1", "fe80::1"));
    assert_false(are_together("::1", "127.0.0.1"));
    assert_false(are_together("2001:db8::", "fe80::2001:db8:0:0")); /* equal numbers, of another kind */
    assert_false(weir_tally_client((const struct sockaddr *)&path, &key));
}

static void listeners_are_not_clients(void **state)
{
    struct sockaddr_storage one = {.ss_family = AF_INET}, other;
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/run/weir.sock"};
    weir_tally_entry_t *entry;

    other = one;
    ((struct sockaddr_in *)&other)->sin_port = htons(8080);
    assert_true(weir_tally_enter(tally, weir_tally_listener(&one), 0, &entry));
    assert_int_equal(weir_tally_of(tally, weir_tally_listener(&one)), 1);
    assert_int_equal(weir_tally_of(tally, weir_tally_listener(&other)), 0);
    assert_int_equal(weir_tally_of(tally, key_of("0.0.0.0")), 0);
    memset(&other, 0, sizeof(other));
    memcpy(&other, &path, sizeof(path));
    assert_int_equal(weir_tally_of(tally, weir_tally_listener(&other)), 0);
    weir_tally_leave(tally, &entry);
}

static void up_to_the_limit(void **state)
{
    weir_tally_entry_t *entries[LIMIT], *more = NULL;

    for (size_t i = 0; i < LIMIT; i++) {
        assert_true(weir_tally_enter(tally, key_of("192.0.2.1"), LIMIT, &entries[i]));
        assert_non_null(entries[i]);
    }
    assert_false(weir_tally_enter(tally, key_of("192.0.2.1"), LIMIT, &more));
    assert_null(more);
    weir_tally_leave(tally, &more);
    assert_int_equal(weir_tally_of(tally, key_of("192.0.2.1")), LIMIT); /* who was refused is not counted */
    assert_true(weir_tally_enter(tally, key_of("192.0.2.2"), LIMIT, &more));
    weir_tally_leave(tally, &more);
    weir_tally_leave(tally, &entries[1]);
    assert_null(entries[1]);
    assert_true(weir_tally_enter(tally, key_of("192.0.2.1"), LIMIT, &entries[1]));
    assert_true(weir_tally_enter(tally, key_of("192.0.2.1"), 0, &more)); /* a reload has taken the limit away */
    assert_int_equal(weir_tally_of(tally, key_of("192.0.2.1")), LIMIT + 1);
    assert_int_equal(weir_tally_entries(tally), 1);
    weir_tally_leave(tally, &more);
    for (size_t i = 0; i < LIMIT; i++)
        weir_tally_leave(tally, &entries[i]);
    assert_int_equal(weir_tally_of(tally, key_of("192.0.2.1")), 0);
}

static weir_tally_key_t number(uint32_t client)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000u + client)};
    weir_tally_key_t key;

    assert_true(weir_tally_client((const struct sockaddr *)&v4, &key));
    return key;
}

/* Each bucket has several of them. */
static void nobody_is_known_behind_his_last(void **state)
{
    static weir_tally_entry_t *entries[16 * STORM];

    for (uint32_t i = 0; i < 16 * STORM; i++)
        assert_true(weir_tally_enter(tally, number(i), 1, &entries[i]));
    assert_int_equal(weir_tally_entries(tally), 16 * STORM);
    for (uint32_t i = 0; i < 16 * STORM; i += 2)
        weir_tally_leave(tally, &entries[i]);
    assert_int_equal(weir_tally_entries(tally), 8 * STORM);
    for (uint32_t i = 0; i < 16 * STORM; i++)
        assert_int_equal(weir_tally_of(tally, number(i)), i % 2);
    for (uint32_t i = 0; i < 16 * STORM; i++)
        weir_tally_leave(tally, &entries[i]);
    assert_int_equal(weir_tally_entries(tally), 0);
}

static void when_it_is_full(void **state)
{
    weir_tally_t *small = weir_tally_create(FEW);
    weir_tally_entry_t *entries[FEW], *more, *same;

    for (uint32_t i = 0; i < FEW; i++)
        assert_true(weir_tally_enter(small, number(i), 1, &entries[i]));
    assert_true(weir_tally_enter(small, number(FEW), 1, &more)); /* nobody is refused for what others do */
    assert_null(more);
    assert_int_equal(weir_tally_entries(small), FEW);
    assert_false(weir_tally_enter(small, number(0), 1, &same));
    assert_true(weir_tally_enter(small, number(0), 2, &same)); /* who is known is counted on */
    assert_non_null(same);
    weir_tally_leave(small, &entries[3]);
    assert_true(weir_tally_enter(small, number(FEW), 1, &more));
    assert_non_null(more);
    weir_tally_destroy(&small);
    assert_int_equal(weir_tally_lost(), FEW + 1); /* none of them was told to be closed */
}

/* ---- threads ---- */

static atomic_int open_now[CLIENTS];
static atomic_int wrong, refused, served;

static void enter(uint32_t client, weir_tally_entry_t **out_entry)
{
    if (!weir_tally_enter(tally, number(client), LIMIT, out_entry)) {
        atomic_fetch_add(&refused, 1);
        return;
    }
    atomic_fetch_add(&served, 1);
    if (atomic_fetch_add(&open_now[client], 1) >= LIMIT)
        atomic_fetch_add(&wrong, 1);
}

static void *storm(void *seed)
{
    weir_tally_entry_t *held[HELD] = {NULL};
    uint32_t of[HELD] = {0}, dice = (uint32_t)(uintptr_t)seed;

    for (int i = 0; i < ROUNDS + HELD; i++) {
        dice = dice * 1664525 + 1013904223;
        const size_t at = i < ROUNDS ? dice >> 29 : (size_t)(i - ROUNDS);
        if (held[at] != NULL) {
            atomic_fetch_sub(&open_now[of[at]], 1); /* before it is free: others must never see too many */
            weir_tally_leave(tally, &held[at]);
        } else if (i < ROUNDS) {
            of[at] = (dice >> 8) % CLIENTS;
            enter(of[at], &held[at]);
        }
    }
    return NULL;
}

static void many_threads(void **state)
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, storm, (void *)(i + 1)), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrong, 0);
    assert_true(refused > 0);
    assert_true(served > ROUNDS / 4);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(open_now[i], 0);
        assert_int_equal(weir_tally_of(tally, number(i)), 0);
    }
    assert_int_equal(weir_tally_entries(tally), 0);
}

#define IN_TALLY(test) cmocka_unit_test_setup_teardown(test, open_tally, close_tally)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TALLY(who_is_counted_together),         IN_TALLY(listeners_are_not_clients), IN_TALLY(up_to_the_limit),
        IN_TALLY(nobody_is_known_behind_his_last), IN_TALLY(when_it_is_full),           IN_TALLY(many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
