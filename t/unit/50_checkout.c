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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_and_asks_where),
        cmocka_unit_test(refuses),
        cmocka_unit_test(a_pick_without_address_comes_back),
        cmocka_unit_test(a_pick_that_a_stage_dislikes_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
