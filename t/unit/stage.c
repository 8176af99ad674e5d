/* SPDX-License-Identifier: MIT */
/* What a stage of the user's may do: answer by itself, be called from elsewhere, see why it ended. */
#include "unit.h"

typedef weir_verdict_t act_t(weir_exchange_t *x);

static act_t *act; /* what the stage does in enter */
static unsigned runs, cancels;
static const weir_fault_t *seen; /* in leave */

static weir_verdict_t enter(weir_exchange_t *x, void *memory)
{
    return act(x);
}

static void cancel(weir_exchange_t *x, void *memory)
{
    cancels++;
}

static void leave(weir_exchange_t *x, void *memory)
{
    seen = weir_exchange_fault(x);
}

static const weir_stage_t patient = {.number = 25, .name = "patient", .enter = enter, .leave = leave};
static const weir_stage_t nervous = {.number = 25, .name = "nervous", .enter = enter, .cancel = cancel, .leave = leave};

static void open_with(const weir_stage_t *stage, act_t *what)
{
    world_open(NULL);
    act = what;
    runs = cancels = 0;
    seen = NULL;
    fake_stages(&w.plan, &stage, 1);
}

static weir_verdict_t answer(weir_exchange_t *x)
{
    weir_reply_header(x, WEIR_SPAN("X-Stage"), WEIR_SPAN("yes"));
    weir_reply_header(x, WEIR_SPAN("Transfer-Encoding"), WEIR_SPAN("chunked"));
    weir_reply_header(x, WEIR_SPAN("X-Split"), WEIR_SPAN("a\r\nb: c"));
    return weir_reply(x, 203, WEIR_SPAN("from a stage"));
}

static weir_verdict_t wait(weir_exchange_t *x)
{
    return weir_wait(x);
}

static weir_verdict_t answer_wrongly(weir_exchange_t *x)
{
    return weir_reply(x, 101, WEIR_SPAN(""));
}

static void assert_answered(void)
{
    world_close();
    assert_int_equal(w.front.status, 203);
    assert_string_equal(w.front.head, "X-Stage: yes\n");
    assert_string_equal(w.front.body, "from a stage");
    assert_int_equal(w.script.asked[FAKE_CHECKOUT], 0);
    assert_int_equal(w.script.asked[FAKE_CHECKIN], 1);
    assert_int_equal(w.script.outcome, WEIR_HALTED);
}

static void answers_by_itself(void **state)
{
    open_with(&patient, answer);
    world_request(GET);
    assert_answered();
    assert_null(seen);
}

static void answers_later(void **state)
{
    open_with(&nervous, wait);
    world_request(GET);
    (void)answer(w.x);
    assert_answered();
}

static void a_status_that_is_none_is_a_500(void **state)
{
    open_with(&patient, answer_wrongly);
    world_request(GET);
    world_close();
    assert_int_equal(w.front.status, 500);
    assert_ptr_equal(w.script.last_fault, &weir_fault_stage_bad_verdict);
    assert_ptr_equal(seen, &weir_fault_stage_bad_verdict);
}

static void client_leaves_while_the_reply_is_on_its_way(void **state)
{
    const weir_stage_t *const both[] = {&patient, &nervous};

    for (int i = 0; i < 2; i++) {
        open_with(both[i], answer);
        w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
        w.front.holds_delivery = true;
        weir_exchange_start(w.x);
        fake_client_gone(&w.front, &weir_fault_client_closed);
        world_close();
        assert_int_equal(cancels, 0); /* it had spoken */
        assert_int_equal(w.script.terminates, 1);
        assert_int_equal(w.script.outcome, WEIR_ERROR);
        assert_ptr_equal(seen, &weir_fault_client_closed);
    }
}

static void a_reply_for_nobody(void **state)
{
    open_with(&patient, wait);
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    fake_run(&w.loop);
    (void)answer(w.x);
    world_close();
    assert_int_equal(w.front.status, 0);
    assert_int_equal(w.script.terminates, 1);
}

/* ---- letters ---- */

static void run_next(weir_exchange_t *x, void *arg)
{
    assert_ptr_equal(arg, &runs);
    runs++;
    weir_next(x);
}

static void run_only(weir_exchange_t *x, void *arg)
{
    runs++;
}

static void run_answer(weir_exchange_t *x, void *arg)
{
    runs++;
    (void)answer(x);
}

static void *post_elsewhere(void *x)
{
    weir_exchange_post(x, run_answer, NULL);
    return NULL;
}

static void is_called_from_the_loop(void **state)
{
    open_with(&patient, wait);
    world_request(GET);
    weir_exchange_post(w.x, run_only, NULL);
    weir_exchange_post(w.x, run_next, &runs);
    assert_int_equal(runs, 0);
    fake_run(&w.loop);
    assert_int_equal(runs, 2);
    world_finish(OK_HEAD);
}

static void is_called_from_another_thread(void **state)
{
    pthread_t thread;

    open_with(&patient, wait);
    world_request(GET);
    assert_int_equal(pthread_create(&thread, NULL, post_elsewhere, w.x), 0);
    pthread_join(thread, NULL);
    assert_answered();
    assert_int_equal(runs, 1);
}

/* What was posted before a verdict or a cancel runs for nobody, and the exchange outlives it. */
static void letters_that_come_too_late_are_dropped(void **state)
{
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        open_with(&nervous, wait);
        w.script.how[FAKE_CHECKIN] = FAKE_LATER; /* another stage waits by then */
        world_request(GET);
        if (is_gone) {
            fake_client_gone(&w.front, &weir_fault_client_closed);
            w.x->walk.turn--; /* as if posted just before */
            weir_exchange_post(w.x, run_only, NULL);
            w.x->walk.turn++;
        } else {
            weir_exchange_post(w.x, run_only, NULL);
            weir_exchange_post(w.x, run_next, &runs);
            weir_exchange_post(w.x, run_only, NULL);
        }
        fake_run(&w.loop);
        assert_int_equal(runs, is_gone ? 0 : 2);
        assert_int_equal(cancels, is_gone);
        if (!is_gone) {
            assert_true(fake_respond(w.x, OK_HEAD));
            assert_true(fake_relay_end(w.x, NULL));
            fake_run(&w.loop);
        }
        assert_true(fake_answer(&w.script));
        world_close();
    }
}

static weir_verdict_t post_and_end(weir_exchange_t *x)
{
    weir_exchange_post(x, run_only, NULL);
    weir_exchange_post(x, run_only, NULL);
    return weir_done(x);
}

static void the_exchange_outlives_its_letters(void **state)
{
    open_with(&patient, post_and_end);
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, GET);
    weir_exchange_start(w.x);
    assert_int_equal(w.front.status, 204); /* the walk has ended in one go */
    assert_int_equal(w.script.terminates, 1);
    assert_int_equal(weir_exchange_count(), 1);
    world_close();
    assert_int_equal(runs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_by_itself),
        cmocka_unit_test(answers_later),
        cmocka_unit_test(a_status_that_is_none_is_a_500),
        cmocka_unit_test(client_leaves_while_the_reply_is_on_its_way),
        cmocka_unit_test(a_reply_for_nobody),
        cmocka_unit_test(is_called_from_the_loop),
        cmocka_unit_test(is_called_from_another_thread),
        cmocka_unit_test(letters_that_come_too_late_are_dropped),
        cmocka_unit_test(the_exchange_outlives_its_letters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
