/* SPDX-License-Identifier: MIT */
#include "unit.h"

static void tells_how_far_it_came(void **state)
{
    world_open(NULL);
    world_request(GET);
    world_finish(OK_HEAD);
    assert_int_equal(w.script.phase, WEIR_CONNECTED);
    assert_null(w.script.checkin_fault);

    world_open(NULL);
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    world_request(GET);
    world_close();
    assert_int_equal(w.script.phase, WEIR_LOOKUP);

    world_open(NULL);
    w.script.refuses[FAKE_CHECKOUT] = true;
    w.script.fault[FAKE_CHECKOUT] = &fake_fault;
    world_request(GET);
    world_close();
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    assert_ptr_equal(w.script.checkin_fault, &fake_fault);
}

static void the_routers_time_is_not_service_time(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKIN] = FAKE_LATER;
    world_request(GET);
    fake_advance(&w.loop, 20);
    fake_respond(w.x, OK_HEAD);
    fake_relay_end(w.x, NULL);
    fake_advance(&w.loop, 1000);
    assert_int_equal(weir_request_service_ms(&w.x->request), 20);
    fake_answer(&w.script);
    world_close();
}

static void waits_for_an_open_question(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_int_equal(w.script.asked[FAKE_CHECKIN], 0);
    fake_answer(&w.script);
    fake_run(&w.loop);
    assert_int_equal(w.script.asked[FAKE_CHECKIN], 1);
    assert_int_equal(w.script.checkins, 1);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_how_far_it_came),
        cmocka_unit_test(the_routers_time_is_not_service_time),
        cmocka_unit_test(waits_for_an_open_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
