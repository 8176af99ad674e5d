/* SPDX-License-Identifier: MIT */
/* weir.trace on the walk: what the backend gets, and that it is made once. The dice of the fake loop count up. */
#include "unit.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define VALID "traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\n"
#define STATE "tracestate: a=1\r\nTraceState: b=2\r\n"
#define OUR_TRACE "101112131415161718191a1b1c1d1e1f"
#define OUR_SPAN "2021222324252627"

static weir_verdict_t put(weir_exchange_t *x, void *memory)
{
    weir_request_header_put(x, WEIR_SPAN("traceparent"), WEIR_SPAN("00-" TRACE "-0000000000000001-00"));
    return weir_next(x);
}

static const weir_stage_t tracer = {.number = 45, .name = "tracer", .enter = put};

static void open_traced(void)
{
    world_open(NULL);
    w.plan.has_trace = true;
}

static void ask_with(const char *headers)
{
    char request[1000];

    snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    world_request(request);
}

static void off_is_untouched(void **state)
{
    world_open(NULL);
    ask_with("traceparent: nonsense\r\n" STATE);
    assert_contains(w.loop.backend_head, "\r\ntraceparent: nonsense\r\n" STATE);
    assert_null(w.x->trace);
    world_finish(OK_HEAD);
}

static void a_valid_one_is_continued(void **state)
{
    open_traced();
    ask_with(STATE VALID);
    assert_contains(w.loop.backend_head, "\r\n" STATE "traceparent: 00-" TRACE "-" OUR_SPAN "-01\r\n");
    assert_lacks(w.loop.backend_head, "b7ad6b7169203331");
    world_finish(OK_HEAD);
}

static void of_any_other_nothing_is_left(void **state)
{
    static const char *const headers[] = {
        "", STATE, STATE "traceparent: 00-" TRACE "-0000000000000000-01\r\n", "traceparent: FF\r\n" STATE, VALID STATE VALID,
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const char *first;
        open_traced();
        ask_with(headers[i]);
        first = strstr(w.loop.backend_head, "traceparent: 00-" OUR_TRACE "-" OUR_SPAN "-00\r\n");
        assert_non_null(first);
        assert_null(strstr(first + 1, "traceparent"));
        assert_lacks(w.loop.backend_head, TRACE);
        assert_lacks(w.loop.backend_head, "racestate");
        assert_lacks(w.loop.backend_head, "raceState");
        world_finish(OK_HEAD);
    }
}

static void it_stays_over_attempts(void **state)
{
    open_traced();
    w.script.retries = 1;
    ask_with("");
    assert_contains(w.loop.backend_head, "traceparent: 00-" OUR_TRACE "-" OUR_SPAN "-00\r\n");
    w.loop.backend_head[0] = '\0';
    assert_true(fake_relay_end(w.x, &weir_fault_backend_timeout));
    fake_run(&w.loop);
    assert_int_equal(w.script.picks, 2);
    assert_contains(w.loop.backend_head, "traceparent: 00-" OUR_TRACE "-" OUR_SPAN "-00\r\n");
    world_finish(OK_HEAD);
}

static void a_stage_may_give_one(void **state)
{
    const weir_stage_t *const extra[] = {&tracer};

    open_traced();
    fake_stages(&w.plan, extra, 1);
    ask_with("");
    assert_contains(w.loop.backend_head, "traceparent: 00-" TRACE "-" OUR_SPAN "-00\r\n");
    world_finish(OK_HEAD);
}

static void http2_has_lower_case_names(void **state)
{
    open_traced();
    w.script.protocol = WEIR_HTTP2;
    ask_with("Traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\nTracestate: a=1\r\n");
    assert_contains(w.loop.backend_head, "\r\ntraceparent: 00-" TRACE "-" OUR_SPAN "-01\r\ntracestate: a=1\r\n");
    world_finish(OK_HEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_is_untouched),       cmocka_unit_test(a_valid_one_is_continued),
        cmocka_unit_test(it_stays_over_attempts), cmocka_unit_test(of_any_other_nothing_is_left),
        cmocka_unit_test(a_stage_may_give_one),   cmocka_unit_test(http2_has_lower_case_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
