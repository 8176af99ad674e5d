/* SPDX-License-Identifier: MIT */
/* Names as one loop knows them. Whoever is asked is a socket of the test's that never answers, or a port where nobody is. */
#include "wire_loop.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/wire/back/names.h"
#include "lib/wire/back/resolver.h"

enum { MANY = WEIR_RESOLVER_NAMES_MAX + 100 };

/* Someone who wants to connect. */
typedef struct seeker {
    weir_resolver_wait_t wait;
    weir_name_way_t way;
    weir_target_t target;
    bool is_known;
    char name[40];
} seeker_t;

static seeker_t seekers[MANY];
static int silent_fd;
static char silent_server[40];

static void on_known(weir_resolver_wait_t *wait)
{
    WEIR_AROUND(wait, seeker_t, wait)->is_known = true;
}

static weir_target_t name_target(const seeker_t *seeker)
{
    return (weir_target_t){.kind = WEIR_TARGET_NAME, .port = 80, .name = {seeker->name, strlen(seeker->name)}};
}

static weir_resolution_t begin(seeker_t *seeker, const char *name)
{
    snprintf(seeker->name, sizeof(seeker->name), "%s", name);
    seeker->target = name_target(seeker);
    seeker->wait.on_known = on_known;
    seeker->is_known = false;
    return weir_resolver_begin(loop->resolver, &seeker->target, &seeker->way, &seeker->wait);
}

static weir_resolution_t next(seeker_t *seeker)
{
    seeker->target = name_target(seeker);
    return weir_resolver_next(loop->resolver, &seeker->target, &seeker->way, &seeker->wait, true);
}

static void turn_until_known(const seeker_t *seeker)
{
    for (int i = 0; i < PATIENCE_TURNS && !seeker->is_known; i++)
        weir_loop_turn(loop, 100);
    assert_true(seeker->is_known);
}

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    memset(seekers, 0, sizeof(seekers));
    silent_fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (silent_fd == -1 || bind(silent_fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(silent_fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    snprintf(silent_server, sizeof(silent_server), "127.0.0.1:%u", ntohs(address.sin_port));
    return open_loop(state);
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < MANY; i++) {
        weir_resolver_cancel(&seekers[i].wait);
        weir_resolver_end(&seekers[i].way);
    }
    close(silent_fd);
    return loop != NULL ? close_loop(state) : 0;
}

static void nobody_is_asked(void)
{
    weir_names_use("127.0.0.1:1", 0, &server); /* refused */
}

static void localhost_is_known(void **state)
{
    nobody_is_asked();
    assert_int_equal(begin(&seekers[0], "localhost"), WEIR_RESOLVING);
    assert_int_equal(begin(&seekers[1], "LocalHost"), WEIR_RESOLVING);
    turn_until_known(&seekers[0]);
    assert_true(seekers[1].is_known);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(begin(&seekers[i], "localhost"), WEIR_RESOLVED);
        assert_int_equal(seekers[i].target.kind, WEIR_TARGET_ADDRESS);
        assert_int_equal(weir_address_port(&seekers[i].target.address.any), 80);
    }
    while (next(&seekers[0]) == WEIR_RESOLVED)
        assert_int_equal(seekers[0].target.kind, WEIR_TARGET_ADDRESS);
    assert_int_equal(next(&seekers[0]), WEIR_UNRESOLVED); /* an answer of this moment is not doubted */
    assert_true(weir_resolver_is_current(loop->resolver, seekers[1].target.name, &seekers[1].way));
}

static void an_edition_makes_all_asked_anew(void **state)
{
    nobody_is_asked();
    assert_int_equal(begin(&seekers[0], "localhost"), WEIR_RESOLVING);
    turn_until_known(&seekers[0]);
    weir_names_use("127.0.0.1:1", 0, &loop);
    assert_int_equal(begin(&seekers[0], "localhost"), WEIR_RESOLVING);
    turn_until_known(&seekers[0]);
    assert_int_equal(begin(&seekers[0], "localhost"), WEIR_RESOLVED);
}

static void failures_are_remembered(void **state)
{
    nobody_is_asked();
    assert_int_equal(begin(&seekers[0], "a.test"), WEIR_RESOLVING);
    turn_until_known(&seekers[0]);
    assert_int_equal(begin(&seekers[0], "a.test"), WEIR_UNRESOLVED);
}

static void names_are_bounded(void **state)
{
    char name[40];

    weir_names_use(silent_server, 0, &server);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "n%zu.test", i);
        assert_int_equal(begin(&seekers[i], name), i < WEIR_RESOLVER_NAMES_MAX ? WEIR_RESOLVING : WEIR_UNRESOLVED);
    }
    weir_resolver_cancel(&seekers[7].wait); /* nobody waits for this one any more */
    assert_int_equal(begin(&seekers[MANY - 1], name), WEIR_RESOLVING);
}

static void the_end_does_not_wait(void **state)
{
    struct pollfd asked = {.fd = silent_fd, .events = POLLIN};

    weir_names_use(silent_server, 0, &server);
    assert_int_equal(begin(&seekers[0], "a.test"), WEIR_RESOLVING);
    assert_int_equal(poll(&asked, 1, 10000), 1);
    weir_resolver_cancel(&seekers[0].wait);
    uint64_t start_us = weir_clock_monotonic_us();
    assert_int_equal(close_loop(state), 0);
    assert_true(weir_clock_monotonic_us() - start_us < 900000); /* a second is what a question has at least */
    loop = NULL;
}

static void several_lives(void **state)
{
    for (int i = 0; i < 20; i++) {
        nobody_is_asked();
        assert_int_equal(begin(&seekers[0], "localhost"), WEIR_RESOLVING);
        if (i % 2 == 0)
            turn_until_known(&seekers[0]);
        weir_resolver_cancel(&seekers[0].wait);
        assert_int_equal(close_loop(state), 0);
        (void)open_loop(state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(localhost_is_known), TEST(an_edition_makes_all_asked_anew), TEST(failures_are_remembered),
        TEST(names_are_bounded),  TEST(the_end_does_not_wait),           TEST(several_lives),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("resolver", tests, NULL, forget_thread);
}
