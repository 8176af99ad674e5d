/* SPDX-License-Identifier: MIT */
/* Those who want streams of an HTTP/2 backend, and backends, do whatever the dice say: in the end everybody has been told. */
#include "wire_back_http2.h"

#include "lib/base/fault.h"

static uint32_t dice;

static uint32_t roll(uint32_t sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % sides;
}

/* One thing that may happen to somebody in this state. */
static void happen_to_wait(waiter_t *waiter)
{
    switch (waiter->wait.state) {
    case BACK_HTTP2_NOWHERE:
        if (waiter->back != NULL)
            let_go(waiter);
        else
            ask(waiter, (back_http2_use_t)(roll(6) < 4 ? 0 : 1 + roll(2)));
        break;
    case BACK_HTTP2_DIALLING:
        if (roll(3) == 0)
            fail_dial(waiter, &weir_fault_backend_refused);
        else
            dial(waiter);
        break;
    case BACK_HTTP2_QUEUED:
    case BACK_HTTP2_OPENING:
        if (roll(4) == 0)
            cancel(waiter);
        break;
    }
}

static void happen_to_peer(waiter_t *waiter)
{
    if (waiter->peer < 0)
        return;
    switch (roll(8)) {
    case 0:
        hang_up(waiter);
        break;
    case 1:
        say_goaway(waiter);
        turn();
        break;
    default:
        greet(waiter, (int)roll(4));
        waiter->said_bytes = 0;
        listen_to(waiter);
    }
}

/* Nobody waits for a stream where one is to be had. */
static void assert_no_needless_queue(void)
{
    bool has_queue = false, has_room = false;

    for (waiter_t *waiter = waiters; waiter < waiters + WAITERS; waiter++) {
        has_queue = has_queue || waiter->wait.state == BACK_HTTP2_QUEUED;
        has_room = has_room || (waiter->back != NULL && connection_of(waiter) != NULL && !connection_of(waiter)->is_alone &&
                                back_http2_has_room(connection_of(waiter)));
        assert_int_equal(waiter->is_waiting, waiter->wait.state != BACK_HTTP2_NOWHERE);
    }
    assert_false(has_queue && has_room);
}

/* All backends go away, and nobody gets to one any more: then nobody waits. */
static void end_all(void)
{
    for (int round = 0; round < 10 * WAITERS; round++) {
        waiter_t *waiter = &waiters[round % WAITERS];
        if (waiter->peer >= 0)
            hang_up(waiter);
        if (waiter->wait.state == BACK_HTTP2_DIALLING)
            fail_dial(waiter, &weir_fault_backend_refused);
        if (waiter->back != NULL)
            let_go(waiter);
    }
    for (waiter_t *waiter = waiters; waiter < waiters + WAITERS; waiter++)
        assert_int_equal(waiter->wait.state, BACK_HTTP2_NOWHERE);
}

static void everybody_is_told_whatever_happens(void **state)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        dice = seed;
        for (int i = 0; i < 200; i++) {
            waiter_t *waiter = &waiters[roll(WAITERS)];
            if (roll(3) == 0)
                happen_to_peer(waiter);
            else
                happen_to_wait(waiter);
            assert_no_needless_queue();
            diary[0] = '\0';
        }
        end_all();
        diary[0] = '\0';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everybody_is_told_whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, forget_thread);
}
