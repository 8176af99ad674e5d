/* SPDX-License-Identifier: MIT */
/* Questions that nobody waits for any more: their own deadline, the client, a shutdown; and answers that come long after. */
#include "unit.h"

static void open_waiting(uint32_t wait_ms)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.wait_ms[FAKE_CHECKOUT] = wait_ms;
    w.script.overdue = &fake_exhausted;
    world_request(GET);
}

static void waits_longer_than_the_router_timeout(void **state)
{
    open_waiting(20000);
    fake_advance(&w.loop, 19999); /* weir.router-timeout is 5000 */
    fake_run(&w.loop);
    assert_int_equal(w.script.abandoned, 0);
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    world_finish(OK_HEAD);
    assert_int_equal(w.script.abandoned, 0);
    assert_null(w.script.last_fault);
}

static void or_shorter(void **state)
{
    open_waiting(100);
    fake_advance(&w.loop, 100);
    fake_run(&w.loop);
    assert_int_equal(w.script.abandoned, 1);
    assert_int_equal(w.script.gone, WEIR_GONE_DEADLINE);
    assert_int_equal(w.front.status, 503);
    assert_contains(w.front.body, "exhausted");
    assert_int_equal(w.script.asked[FAKE_PAGE], 0); /* the question is still open */
    assert_int_equal(w.script.terminates, 0);
    assert_true(fake_answer(&w.script)); /* a pick, too late */
    world_close();
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    assert_int_equal(w.script.terminates, 1);
    assert_ptr_equal(w.script.last_fault, &fake_exhausted);
    assert_int_equal(w.script.abandoned, 1);
}

static void an_answer_in_that_call_closes_the_question(void **state)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.wait_ms[FAKE_CHECKOUT] = 100;
    w.script.overdue = &fake_exhausted;
    w.script.answers_when_abandoned = true;
    w.script.page_status = 429;
    world_request(GET);
    fake_advance(&w.loop, 100);
    fake_run(&w.loop);
    assert_int_equal(w.script.asked[FAKE_PAGE], 1); /* so the router makes the page */
    assert_int_equal(w.front.status, 429);
    world_close();
    assert_int_equal(w.script.picks, 1); /* it had picked in that call */
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    assert_ptr_equal(w.script.last_fault, &fake_exhausted);
}

static void a_deadline_without_a_reason_is_a_router_timeout(void **state)
{
    static const weir_fault_t nameless = {NULL, 503, WEIR_BLAME_ROUTER, NULL};
    const weir_fault_t *const faults[] = {NULL, &nameless};

    for (size_t i = 0; i < 2; i++) {
        world_open(NULL);
        w.script.how[FAKE_LOOKUP] = FAKE_LATER;
        w.script.wait_ms[FAKE_LOOKUP] = 10;
        w.script.overdue = faults[i];
        world_request(GET);
        fake_advance(&w.loop, 10);
        fake_run(&w.loop);
        assert_contains(w.front.body, "router_timeout");
        assert_true(fake_answer(&w.script));
        world_close();
    }
}

static void the_client_goes(void **state)
{
    for (int answers = 0; answers < 2; answers++) {
        for (int kind = FAKE_INIT; kind < FAKE_CHECKIN; kind++) {
            world_open(NULL);
            w.script.how[kind] = FAKE_LATER;
            w.script.answers_when_abandoned = answers == 1;
            world_request(GET);
            fake_client_gone(&w.front, &weir_fault_client_closed);
            assert_int_equal(w.script.abandoned, 1); /* at once */
            assert_int_equal(w.script.gone, WEIR_GONE_CLIENT);
            fake_run(&w.loop);
            assert_int_equal(w.script.terminates, answers); /* else the answer is awaited */
            if (answers == 0)
                assert_true(fake_answer(&w.script));
            world_close();
            assert_int_equal(w.script.terminates, 1);
            assert_int_equal(w.script.abandoned, 1);
            assert_ptr_equal(w.script.last_fault, &weir_fault_client_closed);
        }
    }
}

static void the_proxy_shuts_down(void **state)
{
    open_waiting(60000);
    fake_client_gone(&w.front, &weir_fault_shutting_down);
    assert_int_equal(w.script.gone, WEIR_GONE_SHUTDOWN);
    assert_true(fake_answer(&w.script));
    world_close();
}

static void *answer_elsewhere(void *script)
{
    fake_answer(script);
    return NULL;
}

static void from_another_thread(void)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, answer_elsewhere, &w.script), 0);
    pthread_join(thread, NULL);
}

/* The answer is there, its letter under way: nobody needs to be told. */
static void the_answer_wins_against_the_client(void **state)
{
    open_waiting(1000);
    from_another_thread();
    fake_client_gone(&w.front, &weir_fault_client_closed);
    assert_int_equal(w.script.abandoned, 0);
    world_close();
    assert_int_equal(w.script.phase, WEIR_CHECKOUT); /* what was picked comes back */
}

static void the_answer_wins_against_the_deadline(void **state)
{
    weir_timer_t *timer;

    open_waiting(1000);
    from_another_thread();
    timer = WEIR_AROUND(w.loop.timers.next, weir_timer_t, link);
    weir_list_remove(&timer->link);
    w.loop.now_us = timer->due_at_ms * 1000;
    timer->on_due(timer); /* in the turn in which the letter is still closed */
    assert_int_equal(w.script.abandoned, 0);
    fake_run(&w.loop);
    world_finish(OK_HEAD);
    assert_null(w.script.last_fault);
}

/* ---- while the router's call goes on ---- */

/* No letter is opened yet. */
static void begin_with_an_answer_meanwhile(uint32_t wait_ms)
{
    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.wait_ms[FAKE_CHECKOUT] = wait_ms;
    w.script.answers_meanwhile = true;
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    weir_exchange_start(w.x);
    assert_int_equal(w.script.picks, 1);
}

/* Of a line that others stand in, too: those who were answered before have letters. */
static void an_answer_meanwhile_is_a_letter(void **state)
{
    begin_with_an_answer_meanwhile(1000);
    assert_int_equal(w.script.asked[FAKE_BACKEND], 0);
    fake_run(&w.loop);
    world_finish(OK_HEAD);
    assert_null(w.script.last_fault);
}

/* Nobody stands in a line there. */
static void or_at_once_without_a_wait_of_its_own(void **state)
{
    begin_with_an_answer_meanwhile(0);
    assert_int_equal(w.script.asked[FAKE_BACKEND], 1);
    fake_run(&w.loop);
    world_finish(OK_HEAD);
}

static void that_letter_wins_against_the_client(void **state)
{
    begin_with_an_answer_meanwhile(1000);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    assert_int_equal(w.script.abandoned, 0);
    world_close();
    assert_int_equal(w.script.phase, WEIR_CHECKOUT);
    assert_int_equal(w.script.checkins, 1);
}

/* ---- long after ---- */

static void an_old_handle_is_nobodys(void **state)
{
    weir_q_checkout_t *old;
    unsigned picks;

    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    world_request(GET);
    old = w.script.question;
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    world_finish(OK_HEAD);

    world_open(NULL); /* another request, whose question may have the same slot */
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    world_request(GET);
    picks = w.script.picks;
    (void)weir_checkout_pick(old, NULL);
    (void)weir_checkout_refuse(old, &fake_fault);
    (void)weir_later_until(old, 1, &fake_fault);
    (void)weir_page_send((weir_q_page_t *)(void *)old);
    weir_backend_name((weir_q_backend_t *)(void *)old, WEIR_SPAN("stale"));
    weir_backend_keepalive((weir_q_backend_t *)(void *)old, WEIR_FRESH);
    weir_page_header((weir_q_page_t *)(void *)old, WEIR_SPAN("X"), WEIR_SPAN("y"));
    assert_null(weir_checkin_fault((weir_q_checkin_t *)(void *)old));
    assert_null(weir_checkin_attempt((weir_q_checkin_t *)(void *)old));
    fake_run(&w.loop);
    fake_advance(&w.loop, 10);
    assert_int_equal(w.script.picks, picks);
    assert_non_null(w.script.question); /* this one is as open as before */
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    world_finish(OK_HEAD);
    (void)weir_checkout_pick(old, NULL); /* and when nothing is there at all */
}

static void a_handle_that_was_never_one(void **state)
{
    (void)weir_checkin_done((weir_q_checkin_t *)UINTPTR_MAX);
    (void)weir_checkin_done(NULL);
    assert_null(weir_page_group((weir_q_page_t *)(uintptr_t)0x123456789));
}

/* Each thread has slots of its own, and leaves them to others. */
static void *one_request(void *unused)
{
    world_open(NULL);
    world_request(GET);
    world_finish(OK_HEAD);
    return unused;
}

static void slots_outlive_threads(void **state)
{
    for (int i = 0; i < 100; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, one_request, NULL), 0);
        pthread_join(thread, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_longer_than_the_router_timeout),
        cmocka_unit_test(or_shorter),
        cmocka_unit_test(an_answer_in_that_call_closes_the_question),
        cmocka_unit_test(a_deadline_without_a_reason_is_a_router_timeout),
        cmocka_unit_test(the_client_goes),
        cmocka_unit_test(the_proxy_shuts_down),
        cmocka_unit_test(the_answer_wins_against_the_client),
        cmocka_unit_test(the_answer_wins_against_the_deadline),
        cmocka_unit_test(an_answer_meanwhile_is_a_letter),
        cmocka_unit_test(or_at_once_without_a_wait_of_its_own),
        cmocka_unit_test(that_letter_wins_against_the_client),
        cmocka_unit_test(an_old_handle_is_nobodys),
        cmocka_unit_test(a_handle_that_was_never_one),
        cmocka_unit_test(slots_outlive_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
