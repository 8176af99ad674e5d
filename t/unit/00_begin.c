/* SPDX-License-Identifier: MIT */
#include "unit.h"

static void assert_id(const char *header, const char *expected)
{
    char request[600];

    world_open(NULL);
    snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", header);
    world_request(request);
    assert_int_equal(w.x->request.id.len, strlen(expected));
    assert_memory_equal(w.x->request.id.base, expected, strlen(expected));
    world_finish(OK_HEAD);
}

static void keeps_a_valid_id(void **state)
{
    assert_id("x-request-id: 0123456789-abcdef+/=\r\n", "0123456789-abcdef+/=");
}

static void makes_one_otherwise(void **state)
{
    static const char made[] = "00010203-0405-4607-8809-0a0b0c0d0e0f";

    assert_id("", made);
    assert_id("X-Request-Id: short\r\n", made);
    assert_id("X-Request-Id: 0123456789-abcdef+/=!\r\n", made);
    assert_id("X-Request-Id: short\r\nX-Request-Id: 0123456789-abcdef+/=\r\n", made); /* the first counts */
}

static void the_limit_is_the_plans(void **state)
{
    world_open(NULL);
    w.plan.request_id_max_bytes = 21;
    world_request("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 0123456789-abcdef+/=12\r\n\r\n");
    assert_int_equal(w.x->request.id.len, 36);
    world_finish(OK_HEAD);
}

static void a_router_may_refuse_at_once(void **state)
{
    world_open(NULL);
    w.script.refuses[FAKE_INIT] = true;
    w.script.fault[FAKE_INIT] = &fake_fault;
    world_request(GET);
    assert_int_equal(w.front.status, 404);
    assert_int_equal(w.script.asked[FAKE_LOOKUP], 0);
    assert_int_equal(w.script.empty_checkins, 1);
    assert_int_equal(w.script.phase, WEIR_LOOKUP);
    assert_int_equal(w.script.terminates, 1);
    world_close();
}

static void init_may_answer_everything(void **state)
{
    for (int how = FAKE_NOW; how <= FAKE_TWICE; how++) {
        world_open(NULL);
        w.script.how[FAKE_INIT] = (fake_how_t)how;
        w.script.init_status = 299;
        world_request(GET);
        if (how == FAKE_LATER)
            assert_true(fake_answer(&w.script));
        world_close();
        assert_int_equal(w.front.status, 299);
        assert_false(w.front.must_close);
        assert_string_equal(w.front.head, "X-Init: yes\n");
        assert_string_equal(w.front.body, "from init");
        assert_int_equal(w.script.asked[FAKE_LOOKUP] + w.script.asked[FAKE_CHECKIN], 0);
        assert_int_equal(w.script.terminates + w.script.logs, 0);
    }
}

static void *answer_elsewhere(void *script)
{
    fake_answer(script);
    return NULL;
}

static void init_may_answer_from_another_thread(void **state)
{
    pthread_t thread;

    world_open(NULL);
    w.script.how[FAKE_INIT] = FAKE_LATER;
    w.script.init_status = 200;
    world_request(GET);
    assert_int_equal(pthread_create(&thread, NULL, answer_elsewhere, &w.script), 0);
    pthread_join(thread, NULL);
    world_close();
    assert_string_equal(w.front.body, "from init");
    assert_string_equal(w.front.head, "X-Init: yes\n");
}

static void a_status_that_is_none_is_a_bad_answer(void **state)
{
    static const uint16_t wrong[] = {1, 100, 101, 199, 600, 65535};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        world_open(NULL);
        w.script.init_status = wrong[i];
        world_request(GET);
        world_close();
        assert_int_equal(w.front.status, 500);
        assert_ptr_equal(w.script.last_fault, &weir_fault_router_bad_answer);
        assert_int_equal(w.script.terminates, 1);
    }
}

/* Nobody is there to get it; the router has answered all the same, and hears no more. */
static void an_answer_that_comes_too_late(void **state)
{
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        world_open(NULL);
        w.script.how[FAKE_INIT] = FAKE_LATER;
        w.script.init_status = 200;
        world_request(GET);
        if (is_gone)
            fake_client_gone(&w.front, &weir_fault_client_closed);
        fake_advance(&w.loop, 6000);
        assert_int_equal(weir_exchange_count(), 1);
        assert_true(fake_answer(&w.script));
        world_close();
        assert_int_equal(w.front.status, is_gone ? 0 : 503);
        assert_int_equal(w.script.asked[FAKE_CHECKIN] + w.script.terminates + w.script.logs, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_valid_id),
        cmocka_unit_test(makes_one_otherwise),
        cmocka_unit_test(the_limit_is_the_plans),
        cmocka_unit_test(a_router_may_refuse_at_once),
        cmocka_unit_test(init_may_answer_everything),
        cmocka_unit_test(init_may_answer_from_another_thread),
        cmocka_unit_test(a_status_that_is_none_is_a_bad_answer),
        cmocka_unit_test(an_answer_that_comes_too_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
