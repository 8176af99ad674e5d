/* SPDX-License-Identifier: MIT */
#include "unit.h"

static void connects_later(void **state)
{
    world_open(NULL);
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    world_request(GET);
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\n");
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    assert_true(w.x->was_connected);
    world_finish(OK_HEAD);
}

static void tries_another_service(void **state)
{
    for (int how = FAKE_CONNECT_NOW; how <= FAKE_CONNECT_LATER; how++) {
        world_open(NULL);
        for (size_t i = 0; i < 3; i++) {
            w.loop.connects[i].how = (fake_connect_t)how;
            w.loop.connects[i].fault = &weir_fault_backend_refused;
        }
        w.loop.connect_count = 3;
        world_request(GET);
        assert_int_equal(w.script.phase, WEIR_CONNECTING);
        assert_ptr_equal(w.script.checkin_fault, &weir_fault_backend_refused);
        assert_int_equal(w.script.picks, 4);
        assert_int_equal(w.script.checkins, 3);
        assert_int_equal(w.x->journal.connects, 4);
        world_finish(OK_HEAD);
        assert_int_equal(w.script.checkins, 4);
        assert_int_equal(w.script.phase, WEIR_CONNECTED);
    }
}

static void ends_when_the_router_gives_up(void **state)
{
    world_open(NULL);
    w.script.services_max = 2;
    for (size_t i = 0; i < 2; i++)
        w.loop.connects[i].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 2;
    world_request(GET);
    assert_ptr_equal(w.script.last_fault, &fake_exhausted);
    assert_int_equal(w.script.checkins, 2);
    assert_int_equal(w.script.empty_checkins, 1);
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    world_close();
}

static void a_slow_checkin_refuses(void **state)
{
    world_open(NULL);
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 1;
    w.script.how[FAKE_CHECKIN] = FAKE_LATER;
    world_request(GET);
    fake_advance(&w.loop, 5000);
    assert_int_equal(w.front.status, 503);
    w.script.how[FAKE_CHECKIN] = FAKE_NOW;
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    assert_ptr_equal(w.script.last_fault, &weir_fault_router_timeout);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_later),
        cmocka_unit_test(tries_another_service),
        cmocka_unit_test(ends_when_the_router_gives_up),
        cmocka_unit_test(a_slow_checkin_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
