/* SPDX-License-Identifier: MIT */
/* What is told of requests that are recorded: a span for each, and one for each attempt. The dice of the fake loop count up. */
#include "lib/base/trace_queue.h"
#include "lib/http/otlp.h"
#include "lib/http/trace_context.h"
#include "unit.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define CALLER "b7ad6b7169203331"
#define SAMPLED "traceparent: 00-" TRACE "-" CALLER "-01\r\n"
#define OUR_TRACE "101112131415161718191a1b1c1d1e1f"
#define OUR_SPAN "2021222324252627"
#define FIRST "28292a2b2c2d2e2f"
#define SECOND "3031323334353637"

enum { SPANS_MOST = 8 };

static char spans[SPANS_MOST][WEIR_OTLP_SPAN_BYTES + 1]; /* in the order in which they ended */
static size_t span_count;

static void open_recorded(uint64_t share)
{
    world_open(NULL);
    w.plan.has_trace = w.plan.exports_traces = true;
    w.plan.trace_share = share;
}

static void ask_with(const char *headers)
{
    char request[2000];

    snprintf(request, sizeof(request), "GET /path?query HTTP/1.1\r\nHost: Shop.Example:8080\r\n%s\r\n", headers);
    world_request(request);
}

/* Takes what is in the queue. */
static void take_spans(void)
{
    weir_trace_item_t *item = weir_trace_queue_take();

    for (span_count = 0; item != NULL; span_count++) {
        weir_trace_item_t *next = item->next;
        assert_in_range(span_count, 0, SPANS_MOST - 1);
        snprintf(spans[span_count], sizeof(spans[0]), "%.*s", (int)item->len, item->text);
        weir_trace_queue_free(item);
        item = next;
    }
}

static void assert_time(const char *span, const char *key, uint64_t wall_us)
{
    char wanted[80];

    snprintf(wanted, sizeof(wanted), "\"%s\":\"%llu000\"", key, (unsigned long long)wall_us);
    assert_contains(span, wanted);
}

static void what_is_not_sampled_is_not_told(void **state)
{
    static const char *const headers[] = {"", "traceparent: 00-" TRACE "-" CALLER "-00\r\n"};

    for (size_t i = 0; i < 2; i++) {
        open_recorded(0);
        ask_with(headers[i]);
        assert_contains(w.loop.backend_head, OUR_SPAN "-00\r\n"); /* no attempt has an id */
        world_finish(OK_HEAD);
        take_spans();
        assert_int_equal(span_count, 0);
    }
}

static void nor_where_nobody_receives_it(void **state)
{
    open_recorded(WEIR_TRACE_SHARE_ALL);
    w.plan.exports_traces = false;
    ask_with("");
    assert_contains(w.loop.backend_head, "traceparent: 00-" OUR_TRACE "-" OUR_SPAN "-01\r\n");
    world_finish(OK_HEAD);
    take_spans();
    assert_int_equal(span_count, 0);
}

static void a_request_and_its_attempt(void **state)
{
    uint64_t begin_us;

    open_recorded(0);
    w.script.app = "shop";
    begin_us = w.loop.wall_us;
    ask_with(SAMPLED "tracestate: a=1\r\nTraceState: b=2\r\n");
    assert_contains(w.loop.backend_head, "traceparent: 00-" TRACE "-" FIRST "-01\r\n");
    fake_advance(&w.loop, 5);
    assert_true(fake_respond(w.x, OK_HEAD));
    fake_advance(&w.loop, 7);
    assert_true(fake_relay_end(w.x, NULL));
    world_close();
    take_spans();
    assert_int_equal(span_count, 2);
    assert_contains(spans[0], "{\"traceId\":\"" TRACE "\",\"spanId\":\"" FIRST "\",\"parentSpanId\":\"" OUR_SPAN
                              "\",\"traceState\":\"a=1,b=2\",\"flags\":257,\"name\":\"GET\",\"kind\":3,");
    assert_contains(spans[0], "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"200\"}}");
    assert_contains(spans[0], "{\"key\":\"server.address\",\"value\":{\"stringValue\":\"127.0.0.1\"}}");
    assert_time(spans[0], "startTimeUnixNano", begin_us);
    assert_time(spans[0], "endTimeUnixNano", begin_us + 12000);
    assert_contains(spans[0], "\"name\":\"weir.connected\"}");
    assert_time(spans[0], "timeUnixNano", begin_us + 5000);
    assert_lacks(spans[0], "resend_count");
    assert_lacks(spans[0], "\"status\":");
    assert_contains(spans[1], "{\"traceId\":\"" TRACE "\",\"spanId\":\"" OUR_SPAN "\",\"parentSpanId\":\"" CALLER
                              "\",\"traceState\":\"a=1,b=2\",\"flags\":769,\"name\":\"GET\",\"kind\":2,");
    assert_contains(spans[1], "{\"key\":\"url.path\",\"value\":{\"stringValue\":\"/path\"}}");
    assert_contains(spans[1], "{\"key\":\"server.port\",\"value\":{\"intValue\":\"8080\"}}");
    assert_contains(spans[1], "{\"key\":\"client.address\",\"value\":{\"stringValue\":\"10.0.0.9\"}}");
    assert_contains(spans[1], "{\"key\":\"weir.app\",\"value\":{\"stringValue\":\"shop\"}}");
    assert_time(spans[1], "startTimeUnixNano", begin_us);
    assert_time(spans[1], "endTimeUnixNano", begin_us + 12000);
}

static void a_failed_connect_is_an_attempt(void **state)
{
    open_recorded(WEIR_TRACE_SHARE_ALL);
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connect_count = 1;
    ask_with("");
    assert_contains(w.loop.backend_head, "traceparent: 00-" OUR_TRACE "-" SECOND "-01\r\n");
    world_finish(OK_HEAD);
    take_spans();
    assert_int_equal(span_count, 3);
    assert_contains(spans[0], "\"spanId\":\"" FIRST "\",\"parentSpanId\":\"" OUR_SPAN "\"");
    assert_contains(spans[0], "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"backend_refused\"}}");
    assert_contains(spans[0], "\"status\":{\"code\":2,\"message\":");
    assert_lacks(spans[0], "\"events\"");
    assert_contains(spans[1], "\"spanId\":\"" SECOND "\",\"parentSpanId\":\"" OUR_SPAN "\"");
    assert_contains(spans[1], "{\"key\":\"http.request.resend_count\",\"value\":{\"intValue\":\"1\"}}");
    assert_lacks(spans[2], "parentSpanId");
    assert_lacks(spans[2], "error.type");
}

/* Of the instants of the first relay nothing is told as the second's. */
static void a_retry_has_times_of_its_own(void **state)
{
    open_recorded(WEIR_TRACE_SHARE_ALL);
    w.script.retries = 1;
    w.script.services_max = 2;
    ask_with("");
    assert_true(fake_respond(w.x, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
    w.loop.connects[w.loop.connect_at].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = w.loop.connect_at + 1;
    fake_run(&w.loop);
    assert_int_equal(w.script.picks, 2);
    fake_connected(w.x, &weir_fault_backend_connect_timeout);
    fake_run(&w.loop);
    world_close();
    take_spans();
    assert_int_equal(span_count, 3);
    assert_contains(spans[0], "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"503\"}}");
    assert_contains(spans[0], "\"name\":\"weir.first_byte\"}");
    assert_contains(spans[0], "\"status\":{\"code\":2}}");
    assert_contains(spans[1], "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"backend_connect_timeout\"}}");
    assert_lacks(spans[1], "\"events\"");
    assert_lacks(spans[1], "status_code");
}

static void a_client_that_leaves_is_no_failure_of_ours(void **state)
{
    open_recorded(WEIR_TRACE_SHARE_ALL);
    ask_with("");
    fake_client_gone(&w.front, &weir_fault_client_closed);
    world_close();
    take_spans();
    assert_int_equal(span_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_contains(spans[i], "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"client_closed\"}}");
        assert_lacks(spans[i], "\"status\":");
    }
}

/* Nobody was asked for anything there. */
static void a_pick_that_comes_too_late_is_no_attempt(void **state)
{
    open_recorded(WEIR_TRACE_SHARE_ALL);
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.wait_ms[FAKE_CHECKOUT] = 100;
    w.script.overdue = &fake_exhausted;
    ask_with("");
    fake_advance(&w.loop, 100);
    fake_run(&w.loop);
    assert_true(fake_answer(&w.script));
    world_close();
    take_spans();
    assert_int_equal(span_count, 1);
    assert_contains(spans[0], "\"kind\":2,");
    assert_contains(spans[0], "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"exhausted\"}}");
}

/* Nor if it comes behind one that was. */
static void nor_behind_an_attempt(void **state)
{
    open_recorded(WEIR_TRACE_SHARE_ALL);
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    ask_with("");
    w.script.how[FAKE_CHECKOUT] = FAKE_LATER;
    w.script.wait_ms[FAKE_CHECKOUT] = 100;
    w.script.overdue = &fake_exhausted;
    fake_connected(w.x, &weir_fault_backend_refused);
    fake_run(&w.loop);
    fake_advance(&w.loop, 100);
    fake_run(&w.loop);
    assert_true(fake_answer(&w.script));
    world_close();
    take_spans();
    assert_int_equal(span_count, 2);
    assert_contains(spans[0], "backend_refused");
    assert_contains(spans[1], "\"kind\":2,");
}

static void a_backend_that_was_never_named_has_no_address(void **state)
{
    open_recorded(WEIR_TRACE_SHARE_ALL);
    w.loop.connects[0].fault = &weir_fault_backend_refused;
    w.loop.connects[0].how = FAKE_CONNECT_HELD;
    w.loop.connect_count = 1;
    ask_with("");
    w.script.how[FAKE_BACKEND] = FAKE_LATER;
    w.script.wait_ms[FAKE_BACKEND] = 100;
    w.script.overdue = &fake_exhausted;
    fake_connected(w.x, &weir_fault_backend_refused);
    fake_run(&w.loop);
    fake_advance(&w.loop, 100);
    fake_run(&w.loop);
    assert_true(fake_answer(&w.script));
    world_close();
    take_spans();
    assert_int_equal(span_count, 3);
    assert_contains(spans[0], "\"server.address\"");
    assert_contains(spans[2], "\"kind\":3,"); /* it was checked in when the answer came */
    assert_lacks(spans[2], "\"server.address\"");
    assert_lacks(spans[2], "network.protocol");
}

/* However long everything is that others choose, and in how many bytes it is written: a span is told. */
static void long_texts_are_cut(void **state)
{
    static char request[20000];
    char path[9001], states[WEIR_OTLP_STATE_BYTES + 1] = "", id[201];
    static char host[513];

    memset(path, '"', sizeof(path) - 1);
    memset(states, '\xff', sizeof(states) - 1);
    memset(host, 'h', sizeof(host) - 1);
    memset(id, 'i', sizeof(id) - 1);
    path[sizeof(path) - 1] = id[sizeof(id) - 1] = '\0';
    open_recorded(0);
    w.script.app = host;
    w.plan.head_limits.line_bytes = w.plan.head_limits.total_bytes = w.plan.head_limits.value_bytes = sizeof(request);
    snprintf(request, sizeof(request), "BREW /%s HTTP/1.1\r\nHost: %s\r\n" SAMPLED "tracestate: %s\r\nX-Request-Id: %s\r\n\r\n",
             path, host, states, id);
    world_request(request);
    world_finish("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    take_spans();
    assert_int_equal(span_count, 2);
    assert_contains(spans[1], "\\\"\\\"\"}},{\"key\":\"url.scheme\"");
    assert_contains(spans[1], "\\ufffd\\ufffd\",\"flags\"");
    assert_in_range(strlen(spans[1]), 6000, WEIR_OTLP_SPAN_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_sampled_is_not_told),
        cmocka_unit_test(nor_where_nobody_receives_it),
        cmocka_unit_test(a_request_and_its_attempt),
        cmocka_unit_test(a_failed_connect_is_an_attempt),
        cmocka_unit_test(a_retry_has_times_of_its_own),
        cmocka_unit_test(a_client_that_leaves_is_no_failure_of_ours),
        cmocka_unit_test(a_pick_that_comes_too_late_is_no_attempt),
        cmocka_unit_test(nor_behind_an_attempt),
        cmocka_unit_test(a_backend_that_was_never_named_has_no_address),
        cmocka_unit_test(long_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
