/* SPDX-License-Identifier: MIT */
#include "unit.h"

static void finds_a_group(void **state)
{
    world_open(NULL);
    world_request(GET);
    assert_true(w.x->has_group);
    world_finish(OK_HEAD);
}

static void assert_redirect(const char *request, const char *domain, const char *location)
{
    world_open(NULL);
    w.script.redirect = domain;
    w.script.describes = true;
    world_request(request);
    assert_int_equal(w.script.group_descriptions, 0); /* there is no group that could be described */
    assert_int_equal(w.front.status, 301);
    assert_string_equal(w.front.head, location);
    assert_false(w.front.must_close);
    assert_null(w.script.last_fault);
    assert_int_equal(w.script.phase, WEIR_LOOKUP);
    assert_int_equal(w.script.empty_checkins, 1);
    assert_int_equal(w.script.terminates, 1);
    assert_int_equal(w.script.asked[FAKE_CHECKOUT], 0);
    world_close();
}

static void redirects(void **state)
{
    assert_redirect(GET, "other.example:81", "Location: http://other.example:81/path?query\n");
    assert_redirect(GET, "[::1]:81", "Location: http://[::1]:81/path?query\n");
    assert_redirect("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "b", "Location: http://b/\n");
}

static void refuses(void **state)
{
    world_open(NULL);
    w.script.refuses[FAKE_LOOKUP] = true;
    w.script.fault[FAKE_LOOKUP] = &fake_fault;
    world_request(GET);
    assert_int_equal(w.front.status, 404);
    assert_int_equal(w.script.phase, WEIR_LOOKUP);
    assert_ptr_equal(w.script.checkin_fault, &fake_fault);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_group),
        cmocka_unit_test(redirects),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
