/* SPDX-License-Identifier: MIT */
/* An attempt: how far it came, whether it may be made once more, and a router that wants that. */
#include "unit.h"

static void request_with(const char *head)
{
    w.x = fake_exchange(&w.loop, &w.plan, &w.front, head);
    weir_exchange_start(w.x);
    fake_run(&w.loop);
}

static void open_keen(unsigned retries)
{
    world_open(NULL);
    w.script.retries = retries;
}

static void a_good_one(void **state)
{
    world_open(NULL);
    world_request(GET);
    fake_advance(&w.loop, 7);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_int_equal(w.script.answered, 1);
    assert_int_equal(w.script.answered_with.number, 1);
    assert_int_equal(w.script.answered_with.reach, WEIR_REACH_HEAD);
    assert_int_equal(w.script.answered_with.status, 200);
    assert_int_equal(w.script.answered_with.grpc_status, -1);
    assert_int_equal(w.script.answered_with.connect_us, 1); /* at once, and 0 says never */
    assert_int_equal(w.script.answered_with.head_us, 7000);
    assert_true(w.script.answered_with.is_idempotent);
    assert_int_equal(weir_request_backend_status(&w.x->request), 200);
    fake_advance(&w.loop, 3);
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
    assert_int_equal(w.script.checked_in.reach, WEIR_REACH_WHOLE);
    assert_int_equal(w.script.checked_in.whole_us, 10000);
    assert_false(w.script.checked_in.may_repeat);
    assert_int_equal(w.script.checked_in.size, sizeof(weir_attempt_t));
    assert_int_equal(w.script.retry_questions, 0);
}

static void one_that_never_connected(void **state)
{
    world_open(NULL);
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 1;
    w.script.services_max = 1;
    world_request(GET);
    world_close();
    assert_int_equal(w.script.checked_in.reach, WEIR_REACH_NONE);
    assert_true(w.script.checked_in.is_untouched);
    assert_int_equal(w.script.checked_in.connect_us, 0);
    assert_int_equal(w.script.checked_in.head_us, 0);
    assert_int_equal(w.script.retry_questions, 0); /* after a failed connect another is picked unasked */
}

static void a_failure_behind_the_connect_goes_to_another(void **state)
{
    open_keen(1);
    world_request(GET);
    assert_true(fake_relay_end(w.x, &weir_fault_backend_reset));
    fake_run(&w.loop);
    assert_int_equal(w.script.retry_questions, 1);
    assert_ptr_equal(w.script.retry_fault, &weir_fault_backend_reset);
    assert_int_equal(w.script.retry_of.number, 1);
    assert_int_equal(w.script.checkins, 1);
    assert_int_equal(w.script.phase, WEIR_CONNECTED);
    assert_ptr_equal(w.script.checkin_fault, &weir_fault_backend_reset);
    assert_int_equal(w.script.picks, 2);
    world_finish(OK_HEAD);
    assert_null(w.script.last_fault);
    assert_int_equal(w.script.checked_in.number, 2);
    assert_int_equal(w.script.checkins, 2);
}

static void without_a_wish_it_is_a_page(void **state)
{
    open_keen(0);
    world_request(GET);
    assert_true(fake_relay_end(w.x, &weir_fault_backend_reset));
    world_close();
    assert_int_equal(w.script.retry_questions, 1);
    assert_int_equal(w.script.picks, 1);
    assert_ptr_equal(w.script.last_fault, &weir_fault_backend_reset);
    assert_int_equal(w.script.asked[FAKE_PAGE], 1);
}

static void an_error_of_the_backend_goes_to_another(void **state)
{
    open_keen(2);
    world_request(GET);
    assert_true(fake_respond(w.x, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
    fake_run(&w.loop);
    assert_null(w.script.retry_fault);
    assert_int_equal(w.script.retry_of.status, 503);
    assert_int_equal(w.script.retry_of.reach, WEIR_REACH_HEAD);
    assert_int_equal(w.script.picks, 2);
    assert_int_equal(w.front.responses, 0);
    world_finish(OK_HEAD);
    assert_int_equal(w.front.status, 200);
    assert_int_equal(w.script.retry_questions, 1); /* nobody is asked about a 200 */
}

static void or_passes_as_it_came(void **state)
{
    open_keen(0);
    world_request(GET);
    world_finish("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(w.script.retry_questions, 1);
    assert_int_equal(w.front.status, 404);
    assert_null(w.script.last_fault);
}

static void the_client_is_to_blame(void **state)
{
    open_keen(1);
    request_with("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    assert_true(fake_relay_end(w.x, &weir_fault_client_bad_chunk));
    world_close();
    assert_int_equal(w.script.retry_questions, 0);
    assert_ptr_equal(w.script.last_fault, &weir_fault_client_bad_chunk);
}

static void a_body_that_was_touched_is_not_sent_twice(void **state)
{
    for (int is_held = 0; is_held < 2; is_held++) {
        open_keen(1);
        w.script.hold_body_bytes = 1000;
        request_with("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
        assert_int_equal(w.x->target.hold_body_bytes, 1000);
        w.front.is_body_touched = true;
        w.x->back->holds_body = is_held == 1;
        assert_true(fake_relay_end(w.x, &weir_fault_backend_reset));
        fake_run(&w.loop);
        assert_int_equal(w.script.picks, 1 + is_held);
        if (is_held == 1) {
            assert_false(w.script.retry_of.is_idempotent);
            assert_true(fake_respond(w.x, OK_HEAD));
            assert_true(fake_relay_end(w.x, NULL));
        }
        world_close();
    }
}

static void once_bytes_went_out_it_is_too_late(void **state)
{
    open_keen(1);
    world_request(GET);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_true(fake_relay_end(w.x, &weir_fault_backend_truncated));
    world_close();
    assert_int_equal(w.script.retry_questions, 0);
    assert_true(w.front.is_cut);
}

static void an_interim_response_is_too_late_unless_it_is_a_100(void **state)
{
    open_keen(1);
    world_request(GET);
    assert_true(fake_respond(w.x, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"));
    assert_true(fake_relay_end(w.x, &weir_fault_backend_reset));
    world_close();
    assert_int_equal(w.script.retry_questions, 0);

    open_keen(1);
    w.script.has_deep_continue = true;
    request_with("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_true(fake_respond(w.x, "HTTP/1.1 100 Continue\r\n\r\n"));
    assert_true(fake_relay_end(w.x, &weir_fault_backend_reset));
    fake_run(&w.loop);
    assert_int_equal(w.script.retry_of.reach, WEIR_REACH_INTERIM);
    assert_true(fake_respond(w.x, "HTTP/1.1 100 Continue\r\n\r\n")); /* the first one of this backend */
    world_finish(OK_HEAD);
    assert_int_equal(w.front.status, 200);
}

static void a_wish_to_switch_is_not_repeated(void **state)
{
    open_keen(1);
    request_with("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n");
    assert_true(fake_relay_end(w.x, &weir_fault_backend_reset));
    world_close();
    assert_int_equal(w.script.retry_questions, 0);
}

static void retries_have_an_end(void **state)
{
    open_keen(100000);
    w.loop.is_quiet = true;
    world_request(GET);
    while (weir_exchange_count() == 1 && fake_relay_end(w.x, &weir_fault_backend_reset))
        fake_run(&w.loop);
    assert_int_equal(w.script.picks, 1000);
    world_close();
    assert_ptr_equal(w.script.last_fault, &weir_fault_too_many_attempts);
}

static void grpc_trailers_only(void **state)
{
    world_open(NULL);
    world_request(GET);
    world_finish("HTTP/1.1 200 OK\r\nContent-Length: 0\r\ngrpc-status: 14\r\n\r\n");
    assert_int_equal(w.script.answered_with.grpc_status, 14);
    assert_int_equal(w.script.checked_in.grpc_status, 14);
}

/* ---- a time of its own ---- */

static void an_attempt_has_its_own_time(void **state)
{
    open_keen(1);
    w.script.try_timeout_ms = 300;
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    world_request(GET);
    fake_advance(&w.loop, 200); /* of which connecting takes some */
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    fake_advance(&w.loop, 99);
    fake_run(&w.loop);
    assert_int_equal(w.script.retry_questions, 0);
    fake_advance(&w.loop, 1);
    fake_run(&w.loop);
    assert_ptr_equal(w.script.retry_fault, &weir_fault_backend_timeout);
    assert_int_equal(w.script.picks, 2);
    fake_advance(&w.loop, 299); /* the next one has as much again */
    assert_true(fake_respond(w.x, OK_HEAD));
    fake_advance(&w.loop, 1000); /* and none behind its head */
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
    assert_null(w.script.last_fault);
}

static void without_another_it_is_a_timeout(void **state)
{
    open_keen(0);
    w.script.try_timeout_ms = 300;
    world_request(GET);
    fake_advance(&w.loop, 300);
    world_close();
    assert_ptr_equal(w.script.last_fault, &weir_fault_backend_timeout);
}

static void its_timer_ends_with_the_client(void **state)
{
    open_keen(0);
    w.script.try_timeout_ms = 300;
    world_request(GET);
    fake_client_gone(&w.front, &weir_fault_client_closed);
    world_close(); /* no timer may be left */
}

/* ---- names ---- */

static void the_router_names_app_and_service(void **state)
{
    weir_span_t app;

    world_open(NULL);
    world_request(GET);
    assert_null(weir_request_app(&w.x->request).base);
    world_finish(OK_HEAD);

    world_open(NULL);
    w.script.describes = true;
    world_request(GET);
    app = weir_request_app(&w.x->request);
    assert_true(weir_span_is(app, "described app"));
    assert_true(weir_span_is(w.x->target.label, "described"));
    world_finish(OK_HEAD);

    world_open(NULL); /* what is said of this request wins */
    w.script.describes = true;
    w.script.app = "shop";
    w.script.name = "web.1";
    world_request(GET);
    app = weir_request_app(&w.x->request);
    assert_true(weir_span_is(app, "shop"));
    assert_true(weir_span_is(w.x->target.label, "web.1"));
    world_finish(OK_HEAD);
}

static void a_service_that_was_never_asked_for_its_place_has_its_name(void **state)
{
    world_open(NULL);
    w.script.describes = true;
    w.script.how[FAKE_BACKEND] = FAKE_LATER;
    world_request(GET);
    fake_advance(&w.loop, 5000);
    fake_run(&w.loop);
    assert_true(fake_answer(&w.script));
    world_close();
    assert_ptr_equal(w.script.last_fault, &weir_fault_router_timeout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one),
        cmocka_unit_test(one_that_never_connected),
        cmocka_unit_test(a_failure_behind_the_connect_goes_to_another),
        cmocka_unit_test(without_a_wish_it_is_a_page),
        cmocka_unit_test(an_error_of_the_backend_goes_to_another),
        cmocka_unit_test(or_passes_as_it_came),
        cmocka_unit_test(the_client_is_to_blame),
        cmocka_unit_test(a_body_that_was_touched_is_not_sent_twice),
        cmocka_unit_test(once_bytes_went_out_it_is_too_late),
        cmocka_unit_test(an_interim_response_is_too_late_unless_it_is_a_100),
        cmocka_unit_test(a_wish_to_switch_is_not_repeated),
        cmocka_unit_test(retries_have_an_end),
        cmocka_unit_test(grpc_trailers_only),
        cmocka_unit_test(an_attempt_has_its_own_time),
        cmocka_unit_test(without_another_it_is_a_timeout),
        cmocka_unit_test(its_timer_ends_with_the_client),
        cmocka_unit_test(the_router_names_app_and_service),
        cmocka_unit_test(a_service_that_was_never_asked_for_its_place_has_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
