/* SPDX-License-Identifier: MIT */
/* What the accessors of weir_request.h tell of the journal, and the report. */
#include "unit.h"

static char report[600];

static const char *report_of(size_t size)
{
    size_t length;

    memset(report, 'x', sizeof(report));
    length = weir_request_report(&w.x->request, report, size);
    assert_int_equal(length, size == 0 ? 0 : strlen(report));
    return report;
}

static void nothing_has_happened(void **state)
{
    const weir_request_t *r;

    world_open(NULL);
    w.script.how[FAKE_INIT] = FAKE_LATER;
    world_request(GET);
    r = &w.x->request;
    fake_advance(&w.loop, 3);
    assert_int_equal(weir_request_connect_ms(r), -1);
    assert_int_equal(weir_request_route_ms(r), -1);
    assert_int_equal(weir_request_service_ms(r), -1);
    assert_int_equal(weir_request_start_to_proxy_ms(r), -1);
    assert_int_equal(weir_request_send_headers_ms(r), -1);
    assert_int_equal(weir_request_request_proxy_ms(r), -1);
    assert_int_equal(weir_request_response_proxy_ms(r), -1);
    assert_int_equal(weir_request_total_ms(r), 3);
    assert_int_equal(weir_request_pre_connect_ms(r) + weir_request_pre_proxy_ms(r), 0);
    assert_int_equal(weir_request_connects(r), 0);
    assert_int_equal(weir_request_response_header_count(r), 0);
    assert_null(weir_request_response_header(r, WEIR_SPAN("Server")).base);
    assert_null(weir_request_fault(r));
    assert_int_equal(weir_request_outcome(r), WEIR_HALTED);
    assert_string_equal(report_of(sizeof(report)), "init 0, accepted_until_end 3, total 3");
    fake_answer(&w.script);
    fake_run(&w.loop);
    world_finish(OK_HEAD);
}

static void everything_has(void **state)
{
    const weir_request_t *r;

    world_open(NULL);
    w.script.how[FAKE_CHECKOUT] = w.script.how[FAKE_CHECKIN] = FAKE_LATER;
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    world_request(GET);
    r = &w.x->request;
    fake_advance(&w.loop, 1);
    fake_answer(&w.script);
    fake_run(&w.loop);
    fake_advance(&w.loop, 2);
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    w.loop.now_us += 4499; /* rounded down; those behind it, up */
    fake_respond(w.x, OK_HEAD);
    w.loop.now_us += 7501;
    w.x->journal.last_byte_at_us = w.loop.now_us;
    fake_relay_end(w.x, NULL);
    fake_run(&w.loop);
    fake_advance(&w.loop, 50); /* the router's own time */
    assert_string_equal(
        report_of(sizeof(report)),
        "init 0, accepted_to_pre_connect 1, connect_time 2, connect_time_to_pre_proxy 0, "
        "pre_proxy_to_headers_sent 0, headers_sent_to_last_packet_sent 0, last_packet_sent_to_first_packet_recv 4, "
        "first_packet_recv_to_last_packet_recv 8, last_packet_recv_to_responded 0, total 15");
    assert_int_equal(weir_request_route_ms(r), 3);
    assert_int_equal(weir_request_start_to_proxy_ms(r), 3);
    assert_int_equal(weir_request_send_headers_ms(r), 0);
    assert_int_equal(weir_request_response_proxy_ms(r), 7);
    assert_int_equal(weir_request_total_ms(r), 15);
    assert_int_equal(weir_request_pre_connect_ms(r) - weir_request_start_ms(r), 1);
    assert_int_equal(weir_request_pre_proxy_ms(r) - weir_request_start_ms(r), 3);
    assert_int_equal(weir_request_connects(r), 1);
    assert_int_equal(weir_request_bytes_sent(r), strlen(w.loop.backend_head));
    assert_int_equal(weir_request_bytes_received(r), strlen(OK_HEAD));
    assert_int_equal(weir_request_outcome(r), WEIR_SUCCESSFUL);
    fake_answer(&w.script);
    world_close();
    assert_int_equal(w.script.outcome, WEIR_SUCCESSFUL);
}

/* A backend that answers before it has the whole request. */
static void events_are_sorted(void **state)
{
    world_open(NULL);
    world_request(GET);
    fake_respond(w.x, OK_HEAD);
    fake_advance(&w.loop, 5);
    w.x->journal.request_sent_at_us = w.loop.now_us;
    assert_contains(report_of(sizeof(report)), "last_packet_recv_to_last_packet_sent 5, last_packet_sent_until_end 0, total 5");
    fake_relay_end(w.x, NULL);
    world_close();
}

static void a_small_buffer_is_enough(void **state)
{
    world_open(NULL);
    world_request(GET);
    assert_string_equal(report_of(7), "init 0");
    assert_string_equal(report_of(6), "");
    assert_string_equal(report_of(1), "");
    report_of(0);
    assert_int_equal(report[0], 'x');
    assert_string_equal(report_of(38), "init 0, accepted_to_pre_connect 0");
    fake_respond(w.x, OK_HEAD);
    fake_relay_end(w.x, NULL);
    world_close();
}

static void assert_header(const weir_request_t *r, size_t index, const char *expected_name, const char *expected_value)
{
    weir_span_t name, value;

    assert_true(weir_request_response_header_at(r, index, &name, &value));
    assert_int_equal(name.len, strlen(expected_name));
    assert_memory_equal(name.base, expected_name, name.len);
    assert_int_equal(value.len, strlen(expected_value));
    assert_memory_equal(value.base, expected_value, value.len);
}

static void headers_are_those_before_stripping(void **state)
{
    static const char response[] = "HTTP/1.1 200 OK\r\nX-B: 2\r\nConnection: X-B\r\nKeep-Alive: 5\r\nx-b: 3\r\nX-Empty:\r\n"
                                   "Content-Length: 0\r\n\r\n";
    const weir_request_t *r;
    weir_span_t name, value;

    world_open(NULL);
    w.script.how[FAKE_CHECKIN] = FAKE_LATER;
    world_request(GET);
    r = &w.x->request;
    fake_respond(w.x, response);
    fake_relay_end(w.x, NULL);
    fake_run(&w.loop);
    assert_int_equal(weir_request_response_header_count(r), 6);
    assert_header(r, 0, "x-b", "2");
    assert_header(r, 1, "connection", "X-B");
    assert_header(r, 3, "x-b", "3");
    assert_header(r, 4, "x-empty", "");
    assert_header(r, 5, "content-length", "0");
    assert_false(weir_request_response_header_at(r, 6, &name, &value));
    assert_true(weir_span_equal(weir_request_response_header(r, WEIR_SPAN("X-b")), WEIR_SPAN("2")));
    assert_non_null(weir_request_response_header(r, WEIR_SPAN("X-Empty")).base); /* it is there */
    fake_answer(&w.script);
    world_close();
}

/* A router that reads them in additional_headers only: they are lent for that time. */
static size_t seen_count;

static void look(weir_state_t *state, const weir_request_t *r, weir_way_t way, weir_header_sink_t *sink)
{
    if (way == WEIR_TO_CLIENT)
        seen_count = weir_request_response_header_count(r);
    else
        assert_int_equal(weir_request_response_header_count(r), 0);
}

static void headers_are_kept_only_if_somebody_asks(void **state)
{
    for (int looks = 0; looks < 2; looks++) {
        weir_router_t router = fake_router;

        world_open(NULL);
        router.terminate = NULL;
        router.log = NULL;
        router.additional_headers = looks ? look : NULL;
        w.plan.binding.router = &router;
        seen_count = 0;
        world_request(GET);
        fake_respond(w.x, OK_HEAD);
        assert_int_equal(seen_count, looks ? 1 : 0);
        assert_int_equal(w.x->response_headers != NULL, looks);
        assert_null(w.x->response_lent);
        assert_true(fake_relay_end(w.x, NULL));
        world_close();
    }
}

static void headers_are_not_kept_for_who_needs_none(void **state)
{
    for (int needs = 0; needs < 2; needs++) {
        weir_router_t router = fake_router;

        world_open(NULL);
        router.additional_headers = NULL;
        router.needs_no_response = !needs;
        assert_true(router.terminate != NULL || router.log != NULL);
        w.plan.binding.router = &router;
        world_request(GET);
        fake_respond(w.x, OK_HEAD);
        assert_int_equal(w.x->response_headers != NULL, needs);
        assert_true(fake_relay_end(w.x, NULL));
        world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_not_kept_for_who_needs_none),
        cmocka_unit_test(nothing_has_happened),
        cmocka_unit_test(everything_has),
        cmocka_unit_test(events_are_sorted),
        cmocka_unit_test(a_small_buffer_is_enough),
        cmocka_unit_test(headers_are_those_before_stripping),
        cmocka_unit_test(headers_are_kept_only_if_somebody_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
