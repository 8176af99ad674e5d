/* SPDX-License-Identifier: MIT */
#include "unit.h"

static void picks_and_asks_where(void **state)
{
    world_open(NULL);
    w.script.name = "web.1";
    w.script.keepalive = WEIR_REUSE;
    world_request(GET);
    assert_true(w.x->has_service);
    assert_int_equal(w.x->target.keepalive, WEIR_REUSE);
    assert_int_equal(w.x->target.kind, WEIR_TARGET_ADDRESS);
    assert_int_equal(ntohs(w.x->target.address.v4.sin_port), 8081);
    assert_string_equal(w.loop.text, "connect web.1\nrelay\n");
    world_finish(OK_HEAD);
    assert_int_equal(w.script.checkins, 1);
}

static void refuses(void **state)
{
    world_open(NULL);
    w.script.refuses[FAKE_CHECKOUT] = true;
    w.script.fault[FAKE_CHECKOUT] = &fake_fault;
    world_request(GET);
    assert_int_equal(w.front.status, 404);
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    assert_int_equal(w.script.checkins, 0);
    assert_int_equal(w.script.empty_checkins, 1);
    world_close();
}

static void a_pick_without_address_comes_back(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_BACKEND] = FAKE_FORGET;
    world_request(GET);
    assert_ptr_equal(w.script.last_fault, &weir_fault_router_bad_answer);
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    assert_int_equal(w.script.checkins, 1);
    assert_int_equal(w.script.empty_checkins, 0);
    world_close();
}

static unsigned backs;

static weir_verdict_t dislike_the_first(weir_exchange_t *x, void *memory)
{
    return backs++ == 0 ? weir_back(x, 50) : weir_next(x);
}

static void a_pick_that_a_stage_dislikes_comes_back(void **state)
{
    static const weir_stage_t critic = {.number = 55, .name = "critic", .enter = dislike_the_first};
    const weir_stage_t *const extra = &critic;

    world_open(NULL);
    fake_stages(&w.plan, &extra, 1);
    world_request(GET);
    assert_int_equal(w.script.picks, 2);
    assert_int_equal(w.script.checkins, 1);
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    world_finish(OK_HEAD);
}

/* As often as the router likes, at its own pace, with no question open in between. */
static void nobody_yet(void **state)
{
    world_open(NULL);
    w.script.times_again = 2;
    w.script.again_ms = 30;
    world_request(GET);
    for (unsigned asked = 1; asked <= 2; asked++) {
        assert_int_equal(w.script.asked[FAKE_CHECKOUT], asked);
        assert_null(w.x->question);
        assert_false(w.x->has_service);
        fake_advance(&w.loop, 29);
        assert_int_equal(w.script.asked[FAKE_CHECKOUT], asked);
        fake_advance(&w.loop, 1);
    }
    assert_int_equal(w.script.asked[FAKE_CHECKOUT], 3);
    assert_true(w.x->has_service);
    assert_int_equal(w.x->journal.queue_us, 60000);
    world_finish(OK_HEAD);
    assert_int_equal(w.script.picks, 1);
}

/* The router timeout is for open questions. */
static void nobody_for_long(void **state)
{
    world_open(NULL);
    w.plan.router_timeout_ms = 10;
    w.script.times_again = 1;
    w.script.again_ms = 1000;
    world_request(GET);
    fake_advance(&w.loop, 999);
    assert_int_equal(w.front.responses, 0);
    fake_advance(&w.loop, 1);
    world_finish(OK_HEAD);
}

static void a_client_that_goes_meanwhile(void **state)
{
    world_open(NULL);
    w.script.times_again = 1;
    w.script.again_ms = 30;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_int_equal(w.script.terminates, 1);
    fake_advance(&w.loop, 60);
    assert_int_equal(w.script.asked[FAKE_CHECKOUT], 1);
    assert_int_equal(w.script.abandoned, 0); /* no question was open */
    world_close();
}

/* Nobody is owed anything then: neither another question nor a check-in. */
static void nobody_yet_and_too_late(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.times_again = 1;
    w.script.again_ms = 30;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    assert_true(fake_answer(&w.script));
    fake_advance(&w.loop, 60);
    assert_int_equal(w.script.asked[FAKE_CHECKOUT], 1);
    assert_int_equal(w.script.terminates, 1);
    world_close();
}

static void a_while_has_bounds(void **state)
{
    world_open(NULL);
    w.script.times_again = 2;
    w.script.again_ms = 0;
    world_request(GET);
    w.script.again_ms = UINT32_MAX;
    fake_advance(&w.loop, 1);
    assert_int_equal(w.script.asked[FAKE_CHECKOUT], 2);
    fake_advance(&w.loop, WEIR_LATER_MOST_MS);
    assert_int_equal(w.script.asked[FAKE_CHECKOUT], 3);
    world_finish(OK_HEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_and_asks_where),
        cmocka_unit_test(refuses),
        cmocka_unit_test(a_pick_without_address_comes_back),
        cmocka_unit_test(a_pick_that_a_stage_dislikes_comes_back),
        cmocka_unit_test(nobody_yet),
        cmocka_unit_test(nobody_for_long),
        cmocka_unit_test(a_client_that_goes_meanwhile),
        cmocka_unit_test(nobody_yet_and_too_late),
        cmocka_unit_test(a_while_has_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
