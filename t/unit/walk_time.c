/* SPDX-License-Identifier: MIT */
/* Code of others that keeps the thread: its time is charged to nobody else. */
#include "unit.h"

#include "lib/walk/at_work.h"

enum { BLOCKED_MS = 3000 };

static fake_kind_t where;

static void block(void)
{
    w.loop.blocked_us += BLOCKED_MS * 1000;
}

static void block_in_a_question(weir_shared_t *script, fake_kind_t kind)
{
    if (kind == where)
        block();
}

static weir_verdict_t block_in_a_stage(weir_exchange_t *x, void *memory)
{
    block();
    return weir_next(x);
}

static void block_in_leave(weir_exchange_t *x, void *memory)
{
    block();
}

static void assert_times(int64_t route_ms, int64_t connect_ms, int64_t service_ms)
{
    assert_int_equal(weir_journal_ms(w.x->journal.start_at_us, w.x->journal.connect_start_at_us), route_ms);
    assert_int_equal(weir_request_connect_ms(&w.x->request), connect_ms);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(fake_relay_end(w.x, NULL));
    assert_int_equal(weir_journal_ms(w.x->journal.relay_at_us,
                                     w.x->journal.end_at_us != 0 ? w.x->journal.end_at_us : weir_loop_now_us(&w.loop)),
                     service_ms);
    world_close();
}

static void a_router_is_charged_before_the_connect(void **state)
{
    for (fake_kind_t kind = FAKE_INIT; kind <= FAKE_BACKEND; kind++) {
        world_open(NULL);
        where = kind;
        w.script.before = block_in_a_question;
        world_request(GET);
        assert_times(BLOCKED_MS, 0, 0);
    }
}

static void a_timer_of_ours_begins_behind_it(void **state)
{
    world_open(NULL);
    where = FAKE_BACKEND;
    w.script.before = block_in_a_question;
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    world_request(GET);
    fake_advance(&w.loop, 100);
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    assert_times(BLOCKED_MS, 100, 0);
}

static void so_is_a_stage(void **state)
{
    static const weir_stage_t slow = {.number = 55, .name = "slow", .enter = block_in_a_stage, .leave = block_in_leave};
    static const weir_stage_t *const stages[] = {&slow};

    world_open(NULL);
    fake_stages(&w.plan, stages, 1);
    world_request(GET);
    assert_times(BLOCKED_MS, 0, 0);
}

static void block_and_go_on(weir_exchange_t *x, void *arg)
{
    assert_string_equal(weir_at_work().callback, "a posted function");
    block();
    weir_next(x);
}

static weir_verdict_t post_and_wait(weir_exchange_t *x, void *memory)
{
    weir_exchange_post(x, block_and_go_on, NULL);
    return weir_wait(x);
}

static void and_what_a_stage_has_posted(void **state)
{
    static const weir_stage_t slow = {.number = 55, .name = "slow", .enter = post_and_wait};
    static const weir_stage_t *const stages[] = {&slow};

    world_open(NULL);
    fake_stages(&w.plan, stages, 1);
    world_request(GET);
    assert_times(BLOCKED_MS, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_router_is_charged_before_the_connect),
        cmocka_unit_test(a_timer_of_ours_begins_behind_it),
        cmocka_unit_test(so_is_a_stage),
        cmocka_unit_test(and_what_a_stage_has_posted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
