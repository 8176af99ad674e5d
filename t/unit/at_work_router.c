/* SPDX-License-Identifier: MIT */
/* Each callback of a router is named while it runs, and what was at work before is so again when it has returned. */
#include "at_work_teller.h"
#include "lib/walk/attempt.h"
#include "router/ask.h"
#include "router/describe.h"

static const char *const of_a_good_request[] = {
    ROUTER("init", "0 begin"),
    ROUTER("lookup_domain_name", "20 lookup"),
    ROUTER("describe_group", "20 lookup"),
    ROUTER("feature", "30 continue"),
    ROUTER("checkout_service", "50 checkout"),
    ROUTER("describe_service", "50 checkout"),
    ROUTER("service_backend", "50 checkout"),
    ROUTER("additional_headers", "70 relay"),
    ROUTER("answered", "70 relay"),
    ROUTER("additional_headers", "70 relay"),
    ROUTER("checkin_service", "80 checkin"),
    ROUTER("log", "90 end"),
    ROUTER("terminate", "90 end"),
};

static void each_callback_of_a_router_is_named(void **state)
{
    const char *at = told;

    open_teller();
    world_request("POST / HTTP/1.1\r\nHost: a\r\nX-Request-Id: " ID "\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    world_finish(OK_HEAD);
    (void)read_told(file);
    for (size_t i = 0; i < sizeof(of_a_good_request) / sizeof(of_a_good_request[0]); i++) {
        const char *line = of_a_good_request[i];

        assert_memory_equal(at, line, strlen(line));
        at += strlen(line);
    }
    assert_string_equal(at, "");
    assert_idle();
}

static void pages_and_retries_too(void **state)
{
    open_teller();
    refuses_lookup = true;
    world_request(REQUEST);
    world_close();
    assert_contains(read_told(file), ROUTER("lookup_domain_name", "20 lookup") ROUTER("error_page", "75 refuse"));

    open_teller();
    retries = 1;
    world_request(REQUEST);
    assert_true(fake_relay_end(w.x, &weir_fault_backend_reset));
    fake_run(&w.loop);
    assert_contains(read_told(file), ROUTER("retry_request", "70 relay") ROUTER("checkin_service", "70 relay")
                                         ROUTER("checkout_service", "50 checkout"));
    world_finish(OK_HEAD);
    assert_idle();
}

static void a_question_that_is_abandoned_too(void **state)
{
    open_teller();
    waits_for_checkout = true;
    world_request(REQUEST);
    assert_idle(); /* the question is open, and nobody's code runs */
    fake_client_gone(&w.front, &weir_fault_client_closed);
    assert_string_equal(read_told(file), ROUTER("abandoned", "50 checkout"));
    (void)weir_checkout_pick(open_question, NULL);
    world_close();
    assert_idle();
}

/* ---- behind each of them ---- */

static weir_at_work_t mine;

/* What we have noted, and nobody else. */
static void assert_mine(void)
{
    const weir_at_work_t work = weir_at_work();

    assert_memory_equal(&work, &mine, sizeof(mine));
}

static void then_mine(weir_exchange_t *x, const ask_answer_t *answer)
{
    assert_mine();
}

static void then_picked(weir_exchange_t *x, const ask_answer_t *answer)
{
    assert_mine();
    weir_attempt_begin(x, answer->service);
}

/* An exchange of which nobody but us asks. */
static weir_exchange_t *open_exchange(void)
{
    open_teller();
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, REQUEST);
    mine = (weir_at_work_t){w.x, "stage", "mine", "enter"};
    (void)weir_at_work_on(w.x, "stage", "mine", "enter");
    return w.x;
}

static void end_exchange(void)
{
    weir_at_work_back((weir_before_t){0});
    refuses_lookup = true;
    weir_exchange_start(w.x);
    world_close();
    assert_idle();
}

static void questions_leave_what_was_at_work(void **state)
{
    weir_exchange_t *x = open_exchange();

    ask_init(x, then_mine);
    assert_mine();
    ask_lookup(x, WEIR_SPAN("a"), then_mine);
    assert_mine();
    ask_checkout(x, then_picked);
    assert_mine();
    ask_backend(x, NULL, then_mine);
    assert_mine();
    ask_checkin(x, WEIR_CHECKOUT, NULL, then_mine);
    assert_mine();
    ask_page(x, &fake_fault, then_mine);
    assert_mine();
    end_exchange();
}

static void an_abandoned_question_does_too(void **state)
{
    weir_exchange_t *x = open_exchange();

    waits_for_checkout = true;
    ask_checkout(x, then_picked);
    assert_mine();
    ask_abandon(x);
    assert_mine();
    (void)weir_checkout_refuse(open_question, &fake_fault);
    assert_mine();
    fake_run(&w.loop);
    end_exchange();
}

static void and_whatever_is_answered_on_the_spot(void **state)
{
    weir_exchange_t *x = open_exchange();
    weir_headers_t none = {NULL, 0, 0};

    x->has_service = true;
    (void)ask_feature(x, WEIR_PEER_PORT);
    assert_mine();
    ask_answered(x);
    assert_mine();
    (void)ask_retry(x, &fake_fault);
    assert_mine();
    ask_headers(x, WEIR_TO_BACKEND, &none);
    assert_mine();
    (void)ask_name_of_group(x, NULL);
    assert_mine();
    (void)ask_name_of_service(x, NULL);
    assert_mine();
    ask_log(x, NULL, NULL);
    assert_mine();
    ask_terminate(x, NULL);
    assert_mine();
    x->has_service = false;
    end_exchange();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_callback_of_a_router_is_named), cmocka_unit_test(pages_and_retries_too),
        cmocka_unit_test(a_question_that_is_abandoned_too),   cmocka_unit_test(questions_leave_what_was_at_work),
        cmocka_unit_test(an_abandoned_question_does_too),     cmocka_unit_test(and_whatever_is_answered_on_the_spot),
    };

    return cmocka_run_group_tests(tests, open_file, close_file);
}
