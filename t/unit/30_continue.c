/* SPDX-License-Identifier: MIT */
#include "unit.h"

#define EXPECT(value) "POST / HTTP/1.1\r\nHost: a\r\nExpect: " value "\r\nContent-Length: 3\r\n\r\n"

static void answers_itself(void **state)
{
    world_open(NULL);
    world_request(EXPECT("100-Continue"));
    assert_string_equal(w.loop.text, "interim 100\nconnect 127.0.0.1:8081\nrelay\n");
    assert_lacks(w.loop.backend_head, "xpect");
    assert_true(w.x->has_continued);
    assert_true(fake_respond(w.x, OK_HEAD));
    assert_false(w.front.must_close);
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
}

static void leaves_it_to_the_backend(void **state)
{
    world_open(NULL);
    w.script.has_deep_continue = true;
    world_request(EXPECT("100-continue"));
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\n");
    assert_contains(w.loop.backend_head, "\r\nExpect: 100-continue\r\n");
    assert_true(w.x->wants_continue);
    world_finish(OK_HEAD);
}

static void nothing_expected(void **state)
{
    world_open(NULL);
    world_request(EXPECT(" , "));
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\n");
    world_finish(OK_HEAD);
}

static void http_1_0_expects_nothing(void **state)
{
    world_open(NULL);
    w.script.has_deep_continue = true;
    world_request("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_string_equal(w.loop.text, "connect 127.0.0.1:8081\nrelay\n");
    assert_lacks(w.loop.backend_head, "xpect");
    assert_false(w.x->wants_continue);
    world_finish(OK_HEAD);
}

static void refuses_the_rest(void **state)
{
    assert_refused(EXPECT("foo"), &weir_fault_expectation_failed);
    assert_refused(EXPECT("100-continue, 100-continue"), &weir_fault_expectation_failed);
    assert_refused(EXPECT("100 continue"), &weir_fault_bad_request_header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_itself),   cmocka_unit_test(leaves_it_to_the_backend),
        cmocka_unit_test(nothing_expected), cmocka_unit_test(http_1_0_expects_nothing),
        cmocka_unit_test(refuses_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
