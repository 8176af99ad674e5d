/* SPDX-License-Identifier: MIT */
/* weir.server-timing on the walk, by a clock that is told. */
#include "unit.h"

static void open_timed(void)
{
    world_open(NULL);
    w.plan.has_server_timing = true;
}

/* Waits 20 ms for the router, 3.25 ms for the connection, 100.007 for the head. */
static void run_to_head(const char *response)
{
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.loop.connects[w.loop.connect_count++].how = FAKE_CONNECT_HELD;
    world_request(GET);
    fake_advance(&w.loop, 20);
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    w.loop.now_us += 3250;
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    w.loop.now_us += 100007;
    assert_true(fake_respond(w.x, response));
}

static void end(void)
{
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

static void off_says_nothing(void **state)
{
    world_open(NULL);
    run_to_head("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: db;dur=1\r\n\r\n");
    assert_contains(w.front.head, "Server-Timing: db;dur=1\n");
    assert_lacks(w.front.head, "queue");
    end();
}

static void three_parts_beside_the_backends(void **state)
{
    open_timed();
    run_to_head("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nserver-timing: db;dur=1\r\n\r\n");
    assert_contains(w.front.head, "server-timing: db;dur=1\n");
    assert_contains(w.front.head, "Server-Timing: queue;dur=20.000, connect;dur=3.250, wait;dur=100.007\n");
    end();
}

static void a_switch_of_protocols_too(void **state)
{
    open_timed();
    world_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    fake_advance(&w.loop, 5);
    assert_true(fake_respond(w.x, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"));
    assert_contains(w.front.head, "Server-Timing: queue;dur=0.000, connect;dur=0.000, wait;dur=5.000\n");
    end();
}

/* What a failed connect cost is in none of them; how long the router was asked is in queue. */
static void the_router_is_asked_again(void **state)
{
    open_timed();
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.loop.connects[0].how = w.loop.connects[1].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 2;
    world_request(GET);
    fake_advance(&w.loop, 20);
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    fake_advance(&w.loop, 500);
    fake_connected(w.x, &weir_fault_backend_refused);
    fake_run(&w.loop);
    fake_advance(&w.loop, 30);
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    fake_advance(&w.loop, 4);
    fake_connected(w.x, NULL);
    fake_run(&w.loop);
    fake_advance(&w.loop, 6);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_contains(w.front.head, "Server-Timing: queue;dur=50.000, connect;dur=4.000, wait;dur=6.000\n");
    end();
}

static void a_backend_that_is_named_late(void **state)
{
    open_timed();
    w.script.how[FAKE_BACKEND] = FAKE_LATER;
    world_request(GET);
    fake_advance(&w.loop, 20);
    assert_true(fake_answer(&w.script));
    fake_run(&w.loop);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_contains(w.front.head, "Server-Timing: queue;dur=20.000, connect;dur=0.000, wait;dur=0.000\n");
    end();
}

/* A response may come before the request has ended. */
static void an_early_response(void **state)
{
    open_timed();
    world_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    w.x->journal.request_sent_at_us = 0;
    fake_advance(&w.loop, 8);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_contains(w.front.head, ", wait;dur=8.000\n");
    end();
}

/* ---- pages of ours ---- */

static void a_page_tells_how_far_it_came(void **state)
{
    open_timed(); /* nobody is free */
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.refuses[FAKE_CHECKOUT] = true;
    w.script.fault[FAKE_CHECKOUT] = &fake_exhausted;
    world_request(GET);
    fake_advance(&w.loop, 70);
    assert_true(fake_answer(&w.script));
    world_close();
    assert_int_equal(w.front.status, 503);
    assert_contains(w.front.head, "Server-Timing: queue;dur=70.000\n");

    open_timed(); /* the backend is silent */
    world_request(GET);
    fake_advance(&w.loop, 9);
    assert_true(fake_relay_end(w.x, &weir_fault_backend_timeout));
    world_close();
    assert_contains(w.front.head, "Server-Timing: queue;dur=0.000, connect;dur=0.000\n");

    open_timed(); /* nobody is asked */
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    world_request(GET);
    world_close();
    assert_int_equal(w.front.status, 404);
    assert_lacks(w.front.head, "Server-Timing");
}

static void a_page_after_failed_connects(void **state)
{
    open_timed();
    w.script.services_max = 1;
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 1;
    world_request(GET);
    world_close();
    assert_int_equal(w.front.status, 503);
    assert_contains(w.front.head, "Server-Timing: queue;dur=0.000\n");
}

static void a_call_gets_it_with_its_status(void **state)
{
    open_timed();
    w.script.services_max = 1;
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 1;
    world_request("POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n\r\n");
    world_close();
    assert_int_equal(w.front.status, 200);
    assert_contains(w.front.head, "grpc-status: 14\n");
    assert_contains(w.front.head, "Server-Timing: queue;dur=0.000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_says_nothing),
        cmocka_unit_test(three_parts_beside_the_backends),
        cmocka_unit_test(a_switch_of_protocols_too),
        cmocka_unit_test(the_router_is_asked_again),
        cmocka_unit_test(a_backend_that_is_named_late),
        cmocka_unit_test(an_early_response),
        cmocka_unit_test(a_page_tells_how_far_it_came),
        cmocka_unit_test(a_page_after_failed_connects),
        cmocka_unit_test(a_call_gets_it_with_its_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
