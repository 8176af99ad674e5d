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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_valid_id),
        cmocka_unit_test(makes_one_otherwise),
        cmocka_unit_test(the_limit_is_the_plans),
        cmocka_unit_test(a_router_may_refuse_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
